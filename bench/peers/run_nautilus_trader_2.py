"""Runs the rule in nautilus_trader 2 (its engine is in Rust) and prints its result as a JSON line.

An exception in a strategy's method is logged there, not raised: the strategy keeps the first one,
and this program ends with it. Its entries are compared with the loop's.
"""

from __future__ import annotations

import resource
import sys
from decimal import Decimal

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
    from importlib.metadata import version

    from nautilus_trader.backtest import BacktestEngine, BacktestEngineConfig
    from nautilus_trader.common import LoggerConfig, LogLevel
    from nautilus_trader.execution import MakerTakerFeeModel
    from nautilus_trader.indicators import SimpleMovingAverage
    from nautilus_trader.model import (
        AccountType,
        Bar,
        BarType,
        Currency,
        CurrencyPair,
        InstrumentId,
        Money,
        OmsType,
        OrderSide,
        Price,
        Quantity,
        Symbol,
        Venue,
    )
    from nautilus_trader.trading import Strategy, StrategyConfig

    btc, usdt = Currency.from_str("BTC"), Currency.from_str("USDT")
    venue = Venue("BINANCE")
    pair = CurrencyPair(
        instrument_id=InstrumentId(Symbol("BTCUSDT"), venue),
        raw_symbol=Symbol("BTCUSDT"),
        base_currency=btc,
        quote_currency=usdt,
        price_precision=2,
        size_precision=5,
        price_increment=Price(0.01, 2),
        size_increment=Quantity(0.00001, 5),
        ts_event=0,
        ts_init=0,
    )
    bar_type = BarType.from_str(f"{pair.id}-1-MINUTE-LAST-EXTERNAL")
    broken: list[Exception] = []

    class SmaCross(Strategy):
        def on_start(self) -> None:
            self.fast = SimpleMovingAverage(FAST_BARS)
            self.slow = SimpleMovingAverage(SLOW_BARS)
            self.size = Quantity(SIZE_BASE, pair.size_precision)
            self.is_long = False
            self.register_indicator_for_bars(bar_type, self.fast)
            self.register_indicator_for_bars(bar_type, self.slow)
            self.subscribe_bars(bar_type)

        def on_bar(self, bar: Bar) -> None:  # noqa: ARG002 - the indicators have seen it
            try:
                self._decide()
            except Exception as error:
                broken.append(error)
                raise

        def _decide(self) -> None:
            if not self.slow.initialized:
                return
            wanted = self.fast.value > self.slow.value
            if wanted != self.is_long:
                self.is_long = wanted
                self._submit(OrderSide.BUY if wanted else OrderSide.SELL)

        def _submit(self, side: OrderSide) -> None:
            self.submit_order(self.order_factory.market(pair.id, side, self.size))

    bars = load_bars(args.parquet, args.bars)
    columns = [bars[name].tolist() for name in ("ts", "open", "high", "low", "close", "volume")]
    objects = [
        Bar(
            bar_type, Price(o, 2), Price(h, 2), Price(low, 2), Price(c, 2),
            Quantity(v * VOLUME_TIMES, 5), (ts + 60_000) * 1_000_000, (ts + 60_000) * 1_000_000,
        )
        for ts, o, h, low, c, v in zip(*columns, strict=True)
    ]  # fmt: skip
    rate = Decimal(str(FEE_SHARE))

    def prepare() -> BacktestEngine:
        quiet = LoggerConfig(stdout_level=LogLevel.OFF)
        config = BacktestEngineConfig(bypass_logging=True, run_analysis=False, logging=quiet)
        engine = BacktestEngine(config)
        engine.add_venue(
            venue=venue,
            oms_type=OmsType.NETTING,
            account_type=AccountType.CASH,
            starting_balances=[Money(CASH_QUOTE, usdt)],
            fee_model=MakerTakerFeeModel(rate, rate),
        )
        engine.add_instrument(pair)
        engine.add_data(objects, validate=False)
        engine.add_strategy(SmaCross(StrategyConfig(log_events=False, log_commands=False)))
        return engine

    seconds, cpu_s = [], []
    engine = None
    for _ in range(args.times):
        if engine is not None:
            engine.dispose()
        engine = prepare()
        before_s = _cpu_s()
        _, once = timed(engine.run, 1)
        cpu_s.append(_cpu_s() - before_s)
        seconds.append(once.first_s)
    timing = Timing(seconds[0], min(seconds[1:] or seconds))
    if broken:
        sys.exit(f"the strategy raised: {broken[0]!r}")
    orders = engine.cache.orders_closed()
    entries = sum(order.side == OrderSide.BUY for order in orders)
    account = engine.portfolio.account(venue)
    total = account.balance_total
    held = total(btc).as_decimal() if total(btc) is not None else Decimal(0)
    equity = float(total(usdt).as_decimal()) + float(held) * float(bars["close"].iloc[-1])
    outcome = Outcome(len(bars), entries, len(orders) - entries, equity)
    at_close = loop(bars, long_wanted(bars["close"]), fill="close")
    report(
        "nautilus_trader",
        version("nautilus_trader"),
        outcome,
        timing,
        NOTES,
        cpu_s=min(cpu_s[1:] or cpu_s),
        loop_at_close={"entries": at_close.entries, "final_equity": at_close.final_equity},
    )


def _cpu_s() -> float:
    """Return the processor time of this process, all its threads."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
