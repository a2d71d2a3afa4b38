"use strict";
// Draws the two charts of the report from the JSON in the page; colours follow the system's scheme.
(() => {
  const data = JSON.parse(document.getElementById("series").textContent);
  const L = LightweightCharts;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const byId = (id) => document.getElementById(id);
  const look = () => ({
    layout: {
      background: { color: "transparent" }, textColor: color("--soft"), attributionLogo: false,
      fontFamily: getComputedStyle(document.body).fontFamily,
      panes: { separatorColor: color("--line"), separatorHoverColor: color("--line") },
    },
    grid: { vertLines: { color: color("--grid") }, horzLines: { color: color("--grid") } },
    rightPriceScale: { borderColor: color("--line"), entireTextOnly: true },
    timeScale: {
      borderColor: color("--line"), timeVisible: true, secondsVisible: false, minBarSpacing: 0.02 },
    crosshair: { mode: L.CrosshairMode.Normal },
    handleScroll: { vertTouchDrag: false, mouseWheel: false },
    handleScale: { mouseWheel: false },
    autoSize: true,
  });
  const pairs = (time, value) =>
    time.map((t, i) => (value[i] === null ? { time: t } : { time: t, value: value[i] }));
  const quiet = { priceLineVisible: false, lastValueVisible: false };
  const percent = { type: "custom", formatter: (v) => v.toFixed(1).replace("-", "−") + "%", minMove: 0.1 };
  const two = { type: "custom", formatter: (v) => v.toFixed(2).replace("-", "−"), minMove: 0.01 };

  // All bars in view, with room for the labels of the time axis at both ends; again where the width
  // changes, as on a phone that is turned.
  const fitted = {};
  const fit = (chart, id, count) => {
    const width = byId(id).clientWidth;
    const room = (26 * count) / Math.max(120, width - 80);
    fitted[id] = { width, again: () => fit(chart, id, count) };
    chart.timeScale().setVisibleLogicalRange({ from: -room, to: count - 1 + room });
  };
  const resized = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      const last = fitted[target.id];
      if (last && last.width !== target.clientWidth) requestAnimationFrame(last.again);
    }
  });

  const pill = (parent, text, value, act) => {
    const made = document.createElement("button");
    made.type = "button"; made.textContent = text; made.value = value;
    made.addEventListener("click", act);
    byId(parent).append(made);
    return made;
  };
  const chosen = (parent, value) => {
    for (const button of byId(parent).children)
      button.setAttribute("aria-selected", String(button.value === String(value)));
  };

  const a = data.account;
  const days = (a.time.at(-1) - a.time[0]) / 86400;
  const whole = (v) => v.toLocaleString("en", { maximumFractionDigits: a.equity[0] < 100 ? 2 : 0 });
  const money = { type: "custom", formatter: whole, minMove: 0.01 };

  const account = L.createChart(byId("account"), look());
  const curves = [];
  // A curve: its series, its values, the name of its colour, how a value is written.
  const curve = (name, kind, options, pane, value, tint, show) => {
    const series = account.addSeries(kind, options, pane);
    series.setData(pairs(a.time, value));
    const found = { name, series, value, tint, show, on: true };
    curves.push(found);
    return found;
  };
  const hold = curve("buy & hold", L.LineSeries, { lineWidth: 1, priceFormat: money, ...quiet },
    0, a.hold, "--hold", whole);
  a.others.forEach((other, i) => curve(other.name, L.LineSeries,
    { lineWidth: 2, priceFormat: money, ...quiet }, 0, other.equity, `--c${(i % 4) + 1}`, whole));
  const equity = curve(a.name, L.AreaSeries,
    { lineWidth: 2, priceFormat: money, priceLineVisible: false }, 0, a.equity, "--accent", whole);
  const drawdown = curve("drawdown", L.BaselineSeries, {
    baseValue: { type: "price", price: 0 }, lineWidth: 1, priceFormat: percent, ...quiet },
    1, a.drawdown, "--down", percent.formatter);
  const exposure = curve("exposure", L.AreaSeries, { lineWidth: 1, priceFormat: percent, ...quiet },
    2, a.exposure, "--s3", percent.formatter);
  const sharpe = a.sharpe && curve(`Sharpe, ${a.sharpe.days} days`, L.BaselineSeries, {
    baseValue: { type: "price", price: 0 }, lineWidth: 1, priceFormat: two, ...quiet },
    3, a.sharpe.value, "--s2", two.formatter);
  [4, 1.7, 1.3, 1.5].slice(0, sharpe ? 4 : 3).forEach((share, i) => account.panes()[i].setStretchFactor(share));
  if (sharpe) byId("sharpe-note").textContent = `; Sharpe ratio of the last ${a.sharpe.days} days`;

  // The legend: one button for each curve, with its value under the crosshair, else the last one.
  const at = document.createElement("span");
  at.className = "at";
  byId("readout").append(at);
  for (const each of [equity, hold, ...curves.filter((c) => c !== equity && c !== hold)]) {
    each.button = document.createElement("button");
    each.button.type = "button";
    each.key = document.createElement("span");
    each.key.className = "key";
    each.label = document.createTextNode(each.name);
    each.shown = document.createElement("b");
    each.button.append(each.key, each.label, each.shown);
    each.button.setAttribute("aria-pressed", "true");
    each.button.addEventListener("click", () => {
      each.on = !each.on;
      each.button.setAttribute("aria-pressed", String(each.on));
      each.series.applyOptions({ visible: each.on });
    });
    byId("readout").append(each.button);
  }
  const stamp = (t) => new Date(t * 1000).toISOString().slice(0, 16).replace("T", " ");
  const read = (k) => {
    at.textContent = stamp(a.time[k]);
    for (const each of curves) {
      const value = each.value[k];
      each.shown.textContent = value === null || value === undefined ? "–" : each.show(value);
    }
  };
  account.subscribeCrosshairMove((param) => {
    const k = param.time === undefined ? a.time.length - 1 : a.time.indexOf(param.time);
    read(k < 0 ? a.time.length - 1 : k);
  });

  const LOG = L.PriceScaleMode.Logarithmic, LINEAR = L.PriceScaleMode.Normal;
  const scale = (log) => {
    account.panes()[0].priceScale("right").applyOptions({ mode: log ? LOG : LINEAR });
    chosen("scale", log ? "log" : "linear");
  };
  pill("scale", "Linear", "linear", () => scale(false));
  pill("scale", "Log", "log", () => scale(true));
  scale(Math.max(...a.equity, ...a.hold) > 4 * Math.min(...a.equity, ...a.hold));

  if (a.same) {
    const target = a.same.of === "strategy" ? equity : hold;
    const traded = target.value;
    const times = Number(a.same.factor.toPrecision(3)).toString();
    const name = a.same.of === "strategy"
      ? `${a.name} at the exposure of buy & hold (× ${times})`
      : `buy & hold at the exposure of the strategy (× ${times})`;
    const basis = (same) => {
      target.value = same ? a.same.equity : traded;
      target.series.setData(pairs(a.time, target.value));
      target.label.textContent = same ? name : target.name;
      read(a.time.length - 1);
      chosen("basis", same ? "same" : "traded");
    };
    pill("basis", "As traded", "traded", () => basis(false));
    pill("basis", "At equal exposure", "same", () => basis(true));
    chosen("basis", "traded");
  }

  const candles = L.createChart(byId("candles"), look());
  const bars = candles.addSeries(L.CandlestickSeries, { priceLineVisible: false });
  const markers = L.createSeriesMarkers(bars, []);
  const MARKERS_READABLE = 400;
  let shown = 0, window_ = null, lines = [];

  const entryMark = (time, price, size) => ({
    time, price, position: "atPriceBottom", shape: "arrowUp", color: color("--accent"), size });
  const exitMark = (time, price, bps, size, text) => ({
    time, price, position: "atPriceTop", shape: "arrowDown", size, text,
    color: color(bps > 0 ? "--up" : "--down") });
  const written = (bps) => (bps > 0 ? "+" : "−") + Math.abs(bps).toFixed(0) + " bps";

  const mark = () => {
    if (window_) {
      const { entry, exit, bps } = window_;
      markers.setMarkers([entryMark(...entry, 1.5), exitMark(...exit, bps, 1.5, written(bps))]);
      return;
    }
    const series = data.instruments[shown];
    const range = candles.timeScale().getVisibleRange();
    const inside = series.trades.filter((t) => !range || (t[1] >= range.from && t[0] <= range.to));
    const few = inside.length <= 15;
    const size = inside.length > MARKERS_READABLE ? 0.3 : inside.length > 100 ? 0.6 : 1;
    const found = [];
    for (const [from, to, bps, entry, exit] of inside) {
      found.push(entryMark(from, entry, size));
      found.push(exitMark(to, exit, bps, size, few ? written(bps) : undefined));
    }
    found.sort((x, y) => x.time - y.time);
    markers.setMarkers(found);
  };

  const draw = (series) => {
    for (const line of lines) bars.removePriceLine(line);
    lines = [];
    const digits = { minimumFractionDigits: series.decimals, maximumFractionDigits: series.decimals };
    bars.applyOptions({ priceFormat: {
      type: "custom", formatter: (v) => v.toLocaleString("en", digits), minMove: 10 ** -series.decimals } });
    bars.setData(series.time.map((t, k) => ({
      time: t, open: series.open[k], high: series.high[k], low: series.low[k], close: series.close[k] })));
  };

  // The last `count` trades fill the view; 0: the whole run.
  const zoom = (count) => {
    if (window_) { window_ = null; show(shown); }
    const series = data.instruments[shown];
    const trades = series.trades.slice(-count);
    if (!count || series.trades.length <= count) fit(candles, "candles", series.time.length);
    else {
      delete fitted.candles;
      const step = series.time.length > 1 ? series.time[1] - series.time[0] : 60;
      candles.timeScale().setVisibleRange({
        from: Math.max(series.time[0], trades[0][0] - 8 * step),
        to: Math.min(series.time.at(-1), trades.at(-1)[1] + 8 * step) });
    }
    chosen("spans", count);
  };

  const show = (i) => {
    shown = i;
    window_ = null;
    const series = data.instruments[i];
    draw(series);
    byId("candles-note").textContent =
      `${series.name}, ${series.step} bars, ${series.trades.length.toLocaleString("en")} ` +
      "trades marked at their prices. Drag to move, pinch or drag the time axis to zoom; results " +
      "appear when few trades are in view. In the table below, an instrument shows its trade.";
    chosen("tabs", i);
    byId("spans").replaceChildren();
    pill("spans", "Whole run", 0, () => zoom(0));
    for (const count of [100, 30, 10].filter((n) => n < series.trades.length))
      pill("spans", `Last ${count} trades`, count, () => zoom(count));
    zoom(series.trades.length > 150 ? 30 : 0);
    mark();
  };
  if (data.instruments.length > 1)
    data.instruments.forEach((series, i) => { pill("tabs", series.name, i, () => show(i)).role = "tab"; });

  // One trade on the bars around it.
  const open = (k) => {
    const found = data.windows[k];
    const i = data.instruments.findIndex((each) => each.name === found.instrument);
    if (i !== shown) show(i);
    window_ = found;
    draw(found);
    for (const [price, title, tint] of [
      [found.entry[1], "entry", "--accent"], [found.exit[1], "exit", found.bps > 0 ? "--up" : "--down"]])
      lines.push(bars.createPriceLine({ price, title, color: color(tint), lineWidth: 1, lineStyle: 2 }));
    fit(candles, "candles", found.time.length);
    mark();
    chosen("spans", "none");
    byId("candles-note").textContent =
      `${found.instrument}, ${found.step} bars: entry in the bar of ${stamp(found.entry[0])}, exit in that of ` +
      `${stamp(found.exit[0])} UTC by ${found.reason}, ${written(found.bps)} after costs. ` +
      "“Whole run” shows all trades again.";
    byId("candles").scrollIntoView({ block: "center" });
  };
  byId("trades")?.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-window]");
    if (button) open(Number(button.dataset.window));
  });

  const paint = () => {
    account.applyOptions(look()); candles.applyOptions(look());
    account.timeScale().applyOptions({ timeVisible: days < 8 });
    const accent = color("--accent"), down = color("--down"), up = color("--up"), s2 = color("--s2");
    for (const each of curves) {
      each.series.applyOptions({ color: color(each.tint) });
      each.key.style.background = color(each.tint);
    }
    equity.series.applyOptions({ lineColor: accent, topColor: accent + "33", bottomColor: accent + "05" });
    drawdown.series.applyOptions({ bottomLineColor: down, bottomFillColor1: down + "10", bottomFillColor2: down + "55" });
    exposure.series.applyOptions({ lineColor: color("--s3"), topColor: color("--s3") + "40", bottomColor: color("--s3") + "08" });
    if (sharpe) sharpe.series.applyOptions({ topLineColor: s2, bottomLineColor: s2,
      topFillColor1: s2 + "40", topFillColor2: s2 + "08", bottomFillColor1: s2 + "08", bottomFillColor2: s2 + "40" });
    bars.applyOptions({ upColor: up, downColor: down, borderVisible: false, wickUpColor: up, wickDownColor: down });
    mark();
  };
  paint();
  read(a.time.length - 1);
  fit(account, "account", a.time.length);
  show(0);
  dark.addEventListener("change", paint);
  for (const id of ["account", "candles"]) resized.observe(byId(id));
  let waiting = 0;
  candles.timeScale().subscribeVisibleTimeRangeChange(() => {
    cancelAnimationFrame(waiting);
    waiting = requestAnimationFrame(mark);
  });
})();
