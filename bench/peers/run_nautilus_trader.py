"""Runs the rule in nautilus_trader and prints its result as one JSON line."""

from __future__ import annotations

from decimal import Decimal

import pandas as pd
from rule import (
    CASH_QUOTE,
    FAST_BARS,
    FEE_SHARE,
    SIZE_BASE,
    SLOW_BARS,
    Outcome,
    Timing,
    arguments,
    load_bars,
    long_wanted,
    loop,
    report,
    timed,
)

NOTES = (
    "differs in the fill: on bars a market order of this engine fills at the close that decided, "
    "not at the next open; its figures are compared with the loop filled at the close "
    "(loop_at_close). Volumes are fed 1,000-fold so that a quarter of a bar's volume always covers "
    "one unit. Making the Bar objects is data loading and not in the seconds; logging and analysis "
    "are off"
)
VOLUME_TIMES = 1_000


def main() -> None:
    args = arguments(__doc__)
    import nautilus_trader
    from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
    from nautilus_trader.config import LoggingConfig
    from nautilus_trader.indicators import SimpleMovingAverage
    from nautilus_trader.model.currencies import BTC, USDT
    from nautilus_trader.model.data import Bar, BarType
    from nautilus_trader.model.enums import AccountType, OmsType, OrderSide
    from nautilus_trader.model.identifiers import InstrumentId, Symbol, Venue
    from nautilus_trader.model.instruments import CurrencyPair
    from nautilus_trader.model.objects import Money, Price, Quantity
    from nautilus_trader.persistence.wranglers import BarDataWrangler
    from nautilus_trader.trading.strategy import Strategy

    venue = Venue("BINANCE")
    pair = CurrencyPair(
        instrument_id=InstrumentId(Symbol("BTCUSDT"), venue),
        raw_symbol=Symbol("BTCUSDT"),
        base_currency=BTC,
        quote_currency=USDT,
        price_precision=2,
        size_precision=5,
        price_increment=Price(0.01, 2),
        size_increment=Quantity(0.00001, 5),
        ts_event=0,
        ts_init=0,
        maker_fee=Decimal(str(FEE_SHARE)),
        taker_fee=Decimal(str(FEE_SHARE)),
    )
    bar_type = BarType.from_str(f"{pair.id}-1-MINUTE-LAST-EXTERNAL")

    class SmaCross(Strategy):
        def __init__(self) -> None:
            super().__init__()
            self.fast = SimpleMovingAverage(FAST_BARS)
            self.slow = SimpleMovingAverage(SLOW_BARS)
            self.size = Quantity(SIZE_BASE, pair.size_precision)

        def on_start(self) -> None:
            self.register_indicator_for_bars(bar_type, self.fast)
            self.register_indicator_for_bars(bar_type, self.slow)
            self.subscribe_bars(bar_type)

        def on_bar(self, bar: Bar) -> None:  # noqa: ARG002 - the indicators have seen it
            if not self.slow.initialized:
                return
            if self.fast.value > self.slow.value:
                if self.portfolio.is_flat(pair.id):
                    self._submit(OrderSide.BUY)
            elif self.portfolio.is_net_long(pair.id):
                self._submit(OrderSide.SELL)

        def _submit(self, side: OrderSide) -> None:
            self.submit_order(self.order_factory.market(pair.id, side, self.size))

    bars = load_bars(args.parquet, args.bars)
    frame = bars[["open", "high", "low", "close"]].assign(volume=bars["volume"] * VOLUME_TIMES)
    frame.index = pd.to_datetime(bars["ts"].to_numpy() + 60_000, unit="ms", utc=True)
    objects = BarDataWrangler(bar_type, pair).process(frame)

    def prepare() -> BacktestEngine:
        engine = BacktestEngine(
            BacktestEngineConfig(logging=LoggingConfig(bypass_logging=True), run_analysis=False)
        )
        engine.add_venue(
            venue=venue,
            oms_type=OmsType.NETTING,
            account_type=AccountType.CASH,
            base_currency=None,
            starting_balances=[Money(CASH_QUOTE, USDT)],
        )
        engine.add_instrument(pair)
        engine.add_data(objects, validate=False)
        engine.add_strategy(SmaCross())
        return engine

    seconds = []
    engine = None
    for _ in range(args.times):
        if engine is not None:
            engine.dispose()
        engine = prepare()
        _, once = timed(engine.run, 1)
        seconds.append(once.first_s)
    timing = Timing(seconds[0], min(seconds[1:] or seconds))

    account = engine.portfolio.account(venue)
    held = float(account.balance_total(BTC).as_decimal()) if account.balance_total(BTC) else 0.0
    equity = float(account.balance_total(USDT).as_decimal()) + held * float(bars["close"].iloc[-1])
    fills = engine.cache.orders_closed()
    entries = sum(order.side == OrderSide.BUY for order in fills)
    outcome = Outcome(len(bars), entries, len(fills) - entries, equity)
    at_close = loop(bars, long_wanted(bars["close"]), fill="close")
    report(
        "nautilus_trader",
        nautilus_trader.__version__,
        outcome,
        timing,
        NOTES,
        loop_at_close={"entries": at_close.entries, "final_equity": at_close.final_equity},
    )


if __name__ == "__main__":
    main()
