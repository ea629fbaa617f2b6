// Where the page is: #/chat/THREAD, #/runs, #/runs/RUN … in, a name and its rest out. Every place can be linked to.
import { useSyncExternalStore } from "react";

export interface Route {
  page: string;
  id: string;
  sub: string;
}

const listeners = new Set<() => void>();
window.addEventListener("hashchange", () => listeners.forEach((each) => each()));

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function useRoute(): Route {
  const hash = useSyncExternalStore(subscribe, () => location.hash);
  const [page = "", id = "", sub = ""] = hash.replace(/^#\//, "").split("/");
  return { page: page || "chat", id: decodeURIComponent(id), sub: decodeURIComponent(sub) };
}

export function href(page: string, id = "", sub = ""): string {
  return "#/" + [page, id, sub].filter(Boolean).map(encodeURIComponent).join("/");
}

export function go(page: string, id = "", sub = ""): void {
  location.hash = href(page, id, sub);
}

/** The same place, without a step back to where it was. */
export function goQuietly(page: string, id = "", sub = ""): void {
  history.replaceState(null, "", href(page, id, sub));
  listeners.forEach((each) => each());
}
