// Small parts that every page is made of.
import type { ButtonHTMLAttributes, ReactNode } from "react";
import { ApiError } from "../api";

type Look = "plain" | "main" | "quiet" | "bad";
const LOOKS: Record<Look, string> = {
  main: "bg-accent text-accent-ink border-transparent hover:opacity-90",
  plain: "bg-panel text-ink border-line hover:bg-sunk",
  quiet: "bg-transparent text-soft border-transparent hover:bg-sunk hover:text-ink",
  bad: "bg-panel text-bad border-line hover:bg-bad-soft",
};

export function Button({ look = "plain", ...more }: ButtonHTMLAttributes<HTMLButtonElement> & { look?: Look }) {
  return (
    <button
      type="button"
      {...more}
      className={`inline-flex min-h-9 items-center justify-center gap-1.5 rounded-lg border px-3 text-sm font-medium disabled:opacity-50 ${LOOKS[look]} ${more.className ?? ""}`}
    />
  );
}

export function IconButton({ label, ...more }: ButtonHTMLAttributes<HTMLButtonElement> & { label: string }) {
  return <Button look="quiet" aria-label={label} title={label} {...more} className={`!px-2 ${more.className ?? ""}`} />;
}

export function Badge({ tone = "plain", children }: { tone?: "plain" | "good" | "bad" | "warn" | "accent"; children: ReactNode }) {
  const tones = {
    plain: "bg-sunk text-soft",
    good: "bg-sunk text-good",
    bad: "bg-bad-soft text-bad",
    warn: "bg-warn-soft text-warn",
    accent: "bg-accent-soft text-accent",
  };
  return <span className={`rounded-md px-1.5 py-0.5 text-xs font-medium whitespace-nowrap ${tones[tone]}`}>{children}</span>;
}

export function Trouble({ error, onClose }: { error: unknown; onClose?: () => void }) {
  const told = error instanceof ApiError ? error : null;
  return (
    <div role="alert" className="flex gap-3 rounded-lg border border-line bg-bad-soft px-3 py-2 text-sm text-bad">
      <div className="min-w-0 grow break-words">
        {told?.message ?? String(error)} {told?.wayOut && <span className="text-ink">{told.wayOut}</span>}
      </div>
      {onClose && (
        <button type="button" className="shrink-0 underline" onClick={onClose}>
          Close
        </button>
      )}
    </div>
  );
}

export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="mx-auto max-w-md px-4 py-16 text-center">
      <p className="text-lg font-semibold">{title}</p>
      <div className="mt-1 text-soft">{children}</div>
    </div>
  );
}

export function Frame({ title, about, children, tools }: { title: string; about?: string; children: ReactNode; tools?: ReactNode }) {
  return (
    <div className="h-full overflow-y-auto" tabIndex={0} role="region" aria-label={title}>
      <div className="mx-auto max-w-5xl px-4 py-6 sm:px-6">
        <div className="mb-4 flex flex-wrap items-end justify-between gap-3">
          <div>
            <h1 className="text-xl font-semibold">{title}</h1>
            {about && <p className="text-soft">{about}</p>}
          </div>
          {tools}
        </div>
        {children}
      </div>
    </div>
  );
}

export const field =
  "w-full rounded-lg border border-line bg-panel px-3 py-2 text-ink placeholder:text-soft min-h-9 text-sm";

export function Field({ label, hint, children }: { label: string; hint?: string; children: ReactNode }) {
  return (
    <label className="block text-sm">
      <span className="mb-1 block font-medium">{label}</span>
      {children}
      {hint && <span className="mt-1 block text-soft">{hint}</span>}
    </label>
  );
}
