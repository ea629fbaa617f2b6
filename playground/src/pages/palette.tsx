// Everything by its name: pages, agents, conversations.
import { Command } from "cmdk";
import type { LucideIcon } from "lucide-react";
import { go } from "../route";
import type { Agent, Thread } from "../types";

interface Props {
  pages: { page: string; name: string; icon: LucideIcon }[];
  agents: Agent[];
  threads: Thread[];
  onTheme: () => void;
  onClose: () => void;
}

const item = "cursor-pointer rounded-lg px-3 py-2 text-sm data-[selected=true]:bg-accent-soft data-[selected=true]:text-accent";

export default function Palette({ pages, agents, threads, onTheme, onClose }: Props) {
  const then = (act: () => void) => () => {
    act();
    onClose();
  };
  return (
    <dialog
      ref={(node) => {
        if (!node || node.open) return;
        node.showModal();
        node.querySelector("input")?.focus();
      }}
      aria-label="Search and commands"
      onClose={onClose}
      onClick={(event) => event.target === event.currentTarget && onClose()}
      className="mx-auto mt-[12vh] w-[min(92vw,36rem)] overflow-hidden rounded-2xl border border-line bg-panel p-0 text-ink shadow-2xl backdrop:bg-black/40"
    >
    <Command label="Search and commands">
      <Command.Input
        placeholder="Go to…"
        className="w-full border-b border-line framed bg-transparent px-4 py-3 placeholder:text-soft"
      />
      <Command.List className="max-h-80 overflow-y-auto p-2 text-ink [&_[cmdk-group-heading]]:px-3 [&_[cmdk-group-heading]]:py-1 [&_[cmdk-group-heading]]:text-xs [&_[cmdk-group-heading]]:text-soft">
        <Command.Empty className="p-3 text-sm text-soft">Nothing goes by that name.</Command.Empty>
        <Command.Group heading="Pages">
          <Command.Item className={item} onSelect={then(() => go("chat"))}>
            New chat
          </Command.Item>
          {pages.map((each) => (
            <Command.Item key={each.page} className={item} onSelect={then(() => go(each.page))}>
              {each.name}
            </Command.Item>
          ))}
          <Command.Item className={item} onSelect={then(onTheme)}>
            Dark or light theme
          </Command.Item>
        </Command.Group>
        <Command.Group heading="Graphs">
          {agents.map((each) => (
            <Command.Item key={each.name} className={item} onSelect={then(() => go("graphs", each.name))}>
              Graph of {each.name}
            </Command.Item>
          ))}
        </Command.Group>
        <Command.Group heading="Conversations">
          {threads.slice(0, 50).map((each) => (
            <Command.Item key={each.id} value={`${each.title} ${each.id}`} className={item} onSelect={then(() => go("chat", each.id))}>
              {each.title || each.id}
            </Command.Item>
          ))}
        </Command.Group>
      </Command.List>
    </Command>
    </dialog>
  );
}
