"""Alerting: rules over what was traced, looked at now and again; whoever must know told of a rise and of its end."""

from __future__ import annotations

import asyncio
import logging

from segue.base.errors import StoreError
from segue.tracing.alerts import Alert, AlertStates, evaluate
from segue.tracing.observed import KINDS, Observed
from segue.workspace.finding import Finding

_log = logging.getLogger("segue.workspace")
ALERT_EVERY_S = 30.0
"""How often a served workspace looks."""


class Alerting(Finding):
    """Rules that fire."""

    async def check_alerts(self, *, tell: bool = False) -> list[Alert]:
        """Where each rule of `[alerts.NAME]` stands now, in their order.

        Args:
            tell: Tell the notifier of those that begin to fire and those that are over; each once, whichever process
                on this store looks.

        Raises:
            StoreError: The traces cannot be read, or what fires cannot be written down.
        """
        self._must_be_open()
        await asyncio.to_thread(self.tracer.flush)
        found = await asyncio.to_thread(self._evaluated)
        for alert, moved in await asyncio.to_thread(self._moved, found) if tell else ():
            self._tell(alert, moved)
        return found

    async def watch_alerts(self, *, every_s: float = ALERT_EVERY_S) -> None:
        """Look and tell again and again, until cancelled; returns at once where there are no rules."""
        while self.settings.alerts:
            try:
                await self.check_alerts(tell=True)
            except StoreError as error:
                _log.warning("alerts cannot be looked at: %s", error)
            await asyncio.sleep(every_s)

    def _evaluated(self) -> list[Alert]:
        rules, now = self.settings.alerts, self._clock.now()
        found, seen = [], dict[tuple[str, float], Observed]()
        for name, rule in rules.items():
            key = (rule.tenant, rule.window_s)
            if key not in seen:
                begin_ns, end_ns = int((now - rule.window_s) * 1e9), int(now * 1e9)
                seen[key] = Observed.of(self.traces.between(begin_ns, end_ns, tenant=rule.tenant, kinds=KINDS))
            found.append(evaluate(name, rule, seen[key]))
        return found

    def _moved(self, found: list[Alert]) -> list[tuple[Alert, str]]:
        states, now = AlertStates(self.traces.rows), self._clock.now()
        states.forget({alert.name for alert in found})
        held = [(alert, states.moved(alert, now)) for alert in found]
        return [(alert, moved) for alert, moved in held if moved]

    def _tell(self, alert: Alert, moved: str) -> None:
        rule = alert.rule
        detail = {
            "kind": "alert", "alert": alert.name, "state": "firing" if moved == "risen" else "over",
            "metric": rule.metric, "value": alert.value, "above": rule.above, "below": rule.below,
            "window_s": rule.window_s, "count": alert.count, "agent": rule.agent, "tool": rule.tool,
            "rail": rule.rail, "tenant": rule.tenant,
        }  # fmt: skip
        words = "fires" if moved == "risen" else "is over"
        self.notifier.notify(rule.severity, f"alert {alert.name} {words}: {alert}", detail)
