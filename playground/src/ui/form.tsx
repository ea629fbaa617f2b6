// A form made from a JSON schema: values in, edited values that fit the schema out, or what does not fit.
import { useId, useState, type ReactNode } from "react";
import type { Schema } from "../types";
import { field } from "./parts";
import { shown } from "./say";

type Values = Record<string, unknown>;

interface Props {
  schema: Schema;
  values: Values;
  /** What stands below the fields: the buttons, one of which submits. */
  children: ReactNode;
  onSend: (values: Values) => void;
}

interface Kind {
  type: "text" | "long" | "whole" | "number" | "truth" | "choice" | "json";
  choices: unknown[];
  optional: boolean;
  schema: Schema;
}

/** The schema that a reference stands for. */
function resolved(schema: Schema, root: Schema): Schema {
  const name = schema.$ref?.split("/").at(-1);
  return name && root.$defs?.[name] ? { ...root.$defs[name], description: schema.description ?? root.$defs[name].description } : schema;
}

function kindOf(given: Schema, root: Schema, value: unknown): Kind {
  const schema = resolved(given, root);
  const several = (schema.anyOf ?? []).map((each) => resolved(each, root));
  const some = several.filter((each) => each.type !== "null");
  if (several.length && some.length === 1) return { ...kindOf(some[0]!, root, value), optional: some.length < several.length };
  const types = [schema.type ?? []].flat();
  const optional = types.includes("null");
  const type = types.find((each) => each !== "null");
  const made = (type: Kind["type"], choices: unknown[] = []): Kind => ({ type, choices, optional, schema });
  if (schema.enum) return made("choice", schema.enum);
  if (schema.const !== undefined) return made("choice", [schema.const]);
  if (type === "boolean") return made("truth");
  if (type === "integer") return made("whole");
  if (type === "number") return made("number");
  if (type === "string") return made(typeof value === "string" && (value.length > 60 || value.includes("\n")) ? "long" : "text");
  return made("json");
}

export function SchemaForm({ schema, values, children, onSend }: Props) {
  const names = [...new Set([...Object.keys(schema.properties ?? {}), ...Object.keys(values)])];
  const [texts, setTexts] = useState<Record<string, string>>(() =>
    Object.fromEntries(names.filter((name) => values[name] !== undefined).map((name) => [name, written(values[name])])),
  );
  const [faults, setFaults] = useState<Record<string, string>>({});
  const id = useId();
  const kinds = Object.fromEntries(
    names.map((name) => [name, kindOf(schema.properties?.[name] ?? {}, schema, values[name])]),
  );
  const required = new Set(schema.required ?? []);
  const send = () => {
    const made: Values = {};
    const wrong: Record<string, string> = {};
    for (const name of names) {
      const text = texts[name];
      const kind = kinds[name]!;
      if (text === undefined || (text === "" && kind.type !== "text" && kind.type !== "long")) {
        if (required.has(name)) wrong[name] = "This is needed.";
        continue;
      }
      try {
        made[name] = read(text, kind, values[name]);
      } catch (error) {
        wrong[name] = (error as Error).message;
      }
    }
    setFaults(wrong);
    if (!Object.keys(wrong).length) onSend(made);
    else document.getElementById(`${id}-${Object.keys(wrong)[0]}`)?.focus();
  };
  return (
    <form
      noValidate
      className="space-y-3"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      {names.map((name) => {
        const kind = kinds[name]!;
        const change = (text: string) => setTexts({ ...texts, [name]: text });
        const box = {
          id: `${id}-${name}`,
          className: field,
          value: texts[name] ?? "",
          "aria-invalid": name in faults,
          "aria-describedby": `${id}-${name}-about`,
          "aria-required": required.has(name),
          onChange: (event: { target: { value: string } }) => change(event.target.value),
        };
        return (
          <div key={name} className="text-sm">
            <label htmlFor={box.id} className="mb-1 block font-mono text-[13px]">
              {name}
              {!required.has(name) && <span className="font-sans text-soft"> (may be left out)</span>}
            </label>
            {kind.type === "choice" || kind.type === "truth" ? (
              <select {...box}>
                {(!required.has(name) || kind.optional || texts[name] === undefined) && <option value="">–</option>}
                {(kind.type === "truth" ? [true, false] : kind.choices).map((each) => (
                  <option key={written(each)} value={written(each)}>
                    {shown(each)}
                  </option>
                ))}
              </select>
            ) : kind.type === "whole" || kind.type === "number" ? (
              <input {...box} inputMode={kind.type === "whole" ? "numeric" : "decimal"} />
            ) : kind.type === "text" ? (
              <input {...box} type="text" />
            ) : (
              <textarea {...box} rows={Math.min(10, Math.max(2, (texts[name] ?? "").split("\n").length))} />
            )}
            <p id={`${id}-${name}-about`} className={`mt-1 ${name in faults ? "text-bad" : "text-soft"}`}>
              {faults[name] ?? about(kind)}
            </p>
          </div>
        );
      })}
      {!names.length && <p className="text-sm text-soft">It takes no arguments.</p>}
      {children}
    </form>
  );
}

function about({ schema, type }: Kind): string {
  const bounds = [
    schema.minimum !== undefined && `at least ${schema.minimum}`,
    schema.maximum !== undefined && `at most ${schema.maximum}`,
    type === "json" && "as JSON",
  ].filter(Boolean);
  return [schema.description ?? "", bounds.join(", ")].filter(Boolean).join(" · ");
}

function written(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value, null, 2);
}

function read(text: string, kind: Kind, before: unknown): unknown {
  if (kind.optional && text === "null") return null;
  switch (kind.type) {
    case "text":
    case "long":
      return text;
    case "choice":
      return kind.choices.find((each) => written(each) === text);
    case "truth":
      return text === "true";
    case "whole":
    case "number": {
      const value = Number(text);
      if (text.trim() === "" || !Number.isFinite(value)) throw new Error(`This is no number: ${text}`);
      if (kind.type === "whole" && !Number.isSafeInteger(value)) throw new Error(`This is no whole number: ${text}`);
      if (kind.schema.minimum !== undefined && value < kind.schema.minimum) throw new Error(`At least ${kind.schema.minimum}.`);
      if (kind.schema.maximum !== undefined && value > kind.schema.maximum) throw new Error(`At most ${kind.schema.maximum}.`);
      return value;
    }
    case "json":
      if (typeof before === "string") return text;
      try {
        return JSON.parse(text);
      } catch {
        throw new Error("This is no JSON.");
      }
  }
}
