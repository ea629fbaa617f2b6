import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";

const here = import.meta.dirname;
const out = join(here, "..", "src", "segue", "web");
const SOURCES = ["index.html", "package.json", "package-lock.json", "tsconfig.json", "vite.config.ts", "src", "public"];

function files(path: string): string[] {
  return statSync(path).isDirectory() ? readdirSync(path).flatMap((each) => files(join(path, each))) : [path];
}

/** Writes down of which sources the page was built: a test compares it without node. */
function stamp(): Plugin {
  return {
    name: "stamp",
    closeBundle() {
      const hash = createHash("sha256");
      const sources = SOURCES.flatMap((each) => files(join(here, each)));
      for (const path of sources.map((each) => relative(here, each).replaceAll("\\", "/")).sort()) {
        hash.update(path + "\0");
        hash.update(readFileSync(join(here, path)));
        hash.update("\0");
      }
      writeFileSync(join(out, "sources.sha256"), hash.digest("hex") + "\n");
    },
  };
}

export default defineConfig({
  plugins: [react(), tailwindcss(), stamp()],
  build: { outDir: out, emptyOutDir: true, sourcemap: false, target: "es2022", chunkSizeWarningLimit: 700 },
  server: { proxy: { "/api": "http://127.0.0.1:8765", "/v1": "http://127.0.0.1:8765" } },
});
