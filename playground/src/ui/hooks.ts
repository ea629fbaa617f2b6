import { useCallback, useEffect, useState } from "react";
import { get } from "../api";

/** What a path gives, and a way to ask again; asked anew when the path changes, and every so many milliseconds. */
export function useGet<T>(path: string | null, every = 0) {
  const [state, set] = useState<{ path: string | null; data: T | null; error: unknown }>({
    path,
    data: null,
    error: null,
  });
  const [count, setCount] = useState(0);
  const again = useCallback(() => setCount((held) => held + 1), []);
  useEffect(() => {
    if (path === null) return;
    const control = new AbortController();
    const ask = () =>
      get<T>(path, control.signal)
        .then((data) => set({ path, data, error: null }))
        .catch((error) => {
          if (!control.signal.aborted) set((held) => ({ path, data: held.path === path ? held.data : null, error }));
        });
    void ask();
    const timer = every ? setInterval(() => document.visibilityState === "visible" && ask(), every) : 0;
    return () => {
      clearInterval(timer);
      control.abort();
    };
  }, [path, every, count]);
  const current = state.path === path ? state : { data: null, error: null };
  return { data: current.data, error: current.error, again };
}

export function useTheme(): [string, () => void] {
  const [theme, set] = useState(() => document.documentElement.dataset.theme ?? "light");
  const turn = useCallback(() => {
    set((held) => {
      const next = held === "dark" ? "light" : "dark";
      document.documentElement.dataset.theme = next;
      localStorage.setItem("segue.theme", next);
      return next;
    });
  }, []);
  return [theme, turn];
}
