"""`offline/rules-1`: the model that is there when no other is.

Tools and messages go in, in OpenAI's chat shape; one assistant message comes out. It is a set of rules, not a
language model: it chooses tools by the words of their schemas, fills arguments from the person's text, asks for
what is missing, shows results unchanged and refuses the rest openly. It is deterministic, does no I/O, and knows no
field but plain English.

    words, text, dates, mentions, view              a text, and what could be a value in it
    schema, check                                   a tool, and whether a value fits
    cues, examples, choices, quantities             what a text offers to a parameter: by kind
    strings, freetext, lists, values                and by words
    recall, answers, fill, spread                   the arguments of a call, or of several
    opposites, effects, select, verbs               which tool
    clauses, choose, plan                           which parts, and what to do for each
    ask, render, structured, history, engine        what is said
"""

from __future__ import annotations

from typing import Any

from segue.base.messages import Message

__all__ = ["MODEL", "answer"]

MODEL = "offline/rules-1"


def answer(
    tools: Any, messages: Any, *, output_schema: dict[str, Any] | None = None, tool_choice: Any = None
) -> Message:
    """The next assistant message.

    Args:
        tools: Functions in OpenAI's shape, or bare function objects; `None` and an empty list mean that there are none.
        messages: The conversation so far, as dicts in OpenAI's chat shape.
        output_schema: A JSON schema; the content of a message without tool calls is then JSON text in it. A required
            field that nothing in the conversation holds is null or an empty list where the schema allows it, else
            left out.
        tool_choice: As OpenAI has it: "auto", "none", "required", a tool's name, or `{"type": "function", …}`.

    Returns:
        A message with `role`, `content` and `name`, and with `tool_calls` where tools are to be called. Ids of
        calls are derived from the conversation and unique in it. Every value in the arguments stands in the
        conversation, or is a constant of the schema.

    Nothing is raised for input of a wrong shape: what cannot be read is passed over, and said where nothing is left.
    """
    from segue.router.offline.engine import NAME, reply

    try:
        return reply(tools, messages, output_schema, tool_choice)
    except Exception as error:  # this model is the last resort: whatever breaks must not take the run with it
        said = f"{MODEL} is a rule-based model and could not read this conversation ({type(error).__name__})."
        return {"role": "assistant", "content": said, "name": NAME}
