"""What a generation cost, in US dollars.

In: its usage, and the price in the settings of its deployment, or else the endpoint and the model, which are looked up
in the offline table of `genai-prices`. Out: the cost; `None` where no price is known. Nothing here touches the network.
"""

from __future__ import annotations

import asyncio

from segue.base.usage import Usage
from segue.router.placing.host import NO_PRICE, Rates
from segue.router.sessions import is_loopback
from segue.router.settings import PriceSettings


class Prices:
    """Prices the generations of one deployment."""

    def __init__(self, endpoint: str, price: PriceSettings | None) -> None:
        self._endpoint = endpoint
        self._price = price
        self._unknown = not endpoint or is_loopback(endpoint)
        self._loaded = False
        self._rates: Rates | None = None

    def at_once(self, usage: Usage) -> Usage | None:
        """The usage with its cost, where nothing has to be looked up for it; else `None`."""
        if self._price is not None:
            return usage.at_cost(_by_settings(usage, self._price))
        return usage.at_cost(None) if self._unknown else None

    async def priced(self, usage: Usage, model: str, *, cache_write_tokens: int = 0) -> Usage:
        """The usage with its cost; `cache_write_tokens` of its input cost what the table says for writing."""
        if (found := self.at_once(usage)) is not None:
            return found
        if not self._loaded:  # reading the table takes half a second
            self._loaded = True
            cost = await asyncio.to_thread(_by_table, usage, model, self._endpoint, cache_write_tokens)
        else:
            cost = _by_table(usage, model, self._endpoint, cache_write_tokens)
        return usage.at_cost(cost)

    def rates(self, model: str) -> Rates | None:
        """About what a token of each kind costs, without waiting: `None` as long as the table was not read."""
        if self._rates is None and (self._price is not None or self._unknown or self._loaded):
            self._rates = self._learn_rates(model)
        return self._rates

    def _learn_rates(self, model: str) -> Rates:
        """What one more token of each kind costs."""
        if self._price is None and self._unknown:
            return NO_PRICE
        prices = [
            _by_settings(usage, self._price) if self._price is not None else _by_table(usage, model, self._endpoint, 0)
            for usage in (
                Usage(input_tokens=1000), Usage(input_tokens=1000, cached_tokens=1000), Usage(output_tokens=1000),
            )
        ]  # fmt: skip
        if None in prices:
            return NO_PRICE
        new, cached, output = (float(price or 0.0) / 1000 for price in prices)
        return new, cached, output

    async def quote(self, input_tokens: int, output_tokens: int, model: str) -> float | None:
        """What a generation of this size costs, nothing of it cached; `None` where no price is known."""
        return (await self.priced(Usage(input_tokens=input_tokens, output_tokens=output_tokens), model)).cost_usd


def _by_settings(usage: Usage, price: PriceSettings) -> float:
    cached_price = price.input_usd_per_mtok if price.cached_usd_per_mtok is None else price.cached_usd_per_mtok
    fresh = max(0, usage.input_tokens - usage.cached_tokens)
    dollars = (
        fresh * price.input_usd_per_mtok
        + usage.cached_tokens * cached_price
        + usage.output_tokens * price.output_usd_per_mtok
    )
    return dollars / 1_000_000


def _by_table(usage: Usage, model: str, endpoint: str, cache_write_tokens: int) -> float | None:
    from genai_prices import Usage as Tokens
    from genai_prices import calc_price

    tokens = Tokens(
        input_tokens=usage.input_tokens,
        cache_read_tokens=usage.cached_tokens,
        cache_write_tokens=cache_write_tokens,
        output_tokens=usage.output_tokens,
    )
    try:
        return float(calc_price(tokens, model, provider_api_url=endpoint).total_price)
    except (LookupError, ValueError):
        return None
