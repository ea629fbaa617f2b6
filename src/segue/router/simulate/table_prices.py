"""What the price table says of deployments whose settings have no price: settings in, prices out."""

from __future__ import annotations

from collections.abc import Mapping

from segue.base.usage import Usage
from segue.router.prices import Prices
from segue.router.settings import HTTP_ENGINES, DeploymentSettings, PriceSettings

_TOKENS = 1000


async def table_prices(deployments: Mapping[str, DeploymentSettings]) -> dict[str, PriceSettings]:
    """The prices that are known, by deployment; nothing is asked over the network."""
    out = {}
    for name, settings in deployments.items():
        if settings.price is not None or settings.engine not in HTTP_ENGINES:
            continue
        prices = Prices(settings.url, None)
        usages = (
            Usage(input_tokens=_TOKENS),
            Usage(input_tokens=_TOKENS, cached_tokens=_TOKENS),
            Usage(output_tokens=_TOKENS),
        )
        found = [(await prices.priced(usage, settings.model)).cost_usd for usage in usages]
        fresh, cached, output = (None if cost is None else cost / _TOKENS * 1e6 for cost in found)
        if fresh is not None and output is not None:
            out[name] = PriceSettings(input_usd_per_mtok=fresh, cached_usd_per_mtok=cached, output_usd_per_mtok=output)
    return out
