// Markdown of models and tools, as text that nothing is run of: no HTML, no pictures from outside, links that say where to.
import { memo, type ReactNode } from "react";
import Markdown, { type Components } from "react-markdown";
import gfm from "remark-gfm";

const CITED = /\[([^\][\n:]{1,300}\.(?:md|markdown|mdown|txt|text|rst)):(\d+)(?:-(\d+))?\]/g;
const SCHEME = "#/source/";

export interface Cited {
  path: string;
  start: number;
  end: number;
}

/** Citations as links, which Markdown leaves alone. */
function linked(text: string): string {
  return text.replace(CITED, (all, path: string, start: string, end?: string) => {
    const place = `${SCHEME}${encodeURIComponent(path)}/${start}-${end ?? start}`;
    return `[${all.slice(1, -1).replace(/([\\`*_{}[\]()#+\-.!|<>])/g, "\\$1")}](${place})`;
  });
}

function cited(href: string): Cited | null {
  const match = /^#\/source\/(.+)\/(\d+)-(\d+)$/.exec(href);
  return match ? { path: decodeURIComponent(match[1]!), start: Number(match[2]), end: Number(match[3]) } : null;
}

function parts(onCite?: (cited: Cited) => void): Components {
  return {
    a({ href = "", children }: { href?: string; children?: ReactNode }) {
      const source = cited(href);
      if (source && onCite)
        return (
          <button
            type="button"
            data-cite={source.path}
            onClick={() => onCite(source)}
            className="mx-0.5 rounded-md bg-accent-soft px-1.5 text-[0.85em] text-accent hover:underline"
            title={`Open ${source.path} at line ${source.start}`}
          >
            {children}
          </button>
        );
      if (!/^(https?:|mailto:)/i.test(href)) return <span>{children}</span>;
      return (
        <a href={href} target="_blank" rel="noreferrer noopener nofollow" title={href}>
          {children}
        </a>
      );
    },
    img({ alt, src }: { alt?: string; src?: string | Blob }) {
      return typeof src === "string" && src.startsWith("data:image/") ? (
        <img src={src} alt={alt ?? ""} className="max-w-full rounded-lg" />
      ) : (
        <span className="text-soft" title="Pictures from outside are not loaded.">
          [picture: {alt || "no description"}]
        </span>
      );
    },
  };
}

const PAIR = /^\s*(?:- )?[A-Za-z_][\w /-]{0,40}: ?\S/;
const DRAWN = /[\u2500-\u259f]/;

/** Lines of `name: value` keep to themselves, and what is drawn out of characters keeps its columns. */
function lined(text: string): string {
  const out: string[] = [];
  let fence = "";
  let drawn = false;
  for (const line of text.split("\n")) {
    const mark = /^\s*(```+|~~~+)/.exec(line)?.[1] ?? "";
    if (mark && (!fence || mark.startsWith(fence))) fence = fence ? "" : mark;
    const draws = !fence && !mark && DRAWN.test(line);
    if (draws !== drawn) out.push("```");
    drawn = draws;
    out.push(!fence && !draws && PAIR.test(line) ? `${line}  ` : line);
  }
  if (drawn) out.push("```");
  return out.join("\n");
}

const allowed = (url: string) => (/^(https?:|mailto:|data:image\/(png|jpeg|gif|webp);|#\/source\/)/i.test(url) ? url : "");

export const Text = memo(function Text({ text, onCite }: { text: string; onCite?: (cited: Cited) => void }) {
  return (
    <div className="prose min-w-0 break-words">
      <Markdown remarkPlugins={[gfm]} urlTransform={allowed} components={parts(onCite)}>
        {onCite ? linked(lined(text)) : lined(text)}
      </Markdown>
    </div>
  );
});
