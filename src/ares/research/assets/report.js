"use strict";
// Draws the two charts of the report from the JSON in the page; colours follow the system's scheme.
(() => {
  const data = JSON.parse(document.getElementById("series").textContent);
  const L = LightweightCharts;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const look = () => ({
    layout: {
      background: { color: "transparent" }, textColor: color("--soft"), attributionLogo: false,
      fontFamily: getComputedStyle(document.body).fontFamily,
      panes: { separatorColor: color("--line"), separatorHoverColor: color("--line") },
    },
    grid: { vertLines: { color: color("--grid") }, horzLines: { color: color("--grid") } },
    rightPriceScale: { borderColor: color("--line") },
    timeScale: {
      borderColor: color("--line"), timeVisible: true, secondsVisible: false, minBarSpacing: 0.02 },
    crosshair: { mode: L.CrosshairMode.Normal },
    handleScroll: { vertTouchDrag: false, mouseWheel: false },
    handleScale: { mouseWheel: false },
    autoSize: true,
  });
  const pairs = (time, value) => time.map((t, i) => ({ time: t, value: value[i] }));
  const quiet = { priceLineVisible: false, lastValueVisible: false };
  const percent = { type: "custom", formatter: (v) => v.toFixed(1) + "%", minMove: 0.1 };

  const a = data.account;
  const days = (a.time.at(-1) - a.time[0]) / 86400;
  const whole = (v) => v.toLocaleString("en", { maximumFractionDigits: a.equity[0] < 100 ? 2 : 0 });
  const money = { type: "custom", formatter: whole, minMove: 0.01 };

  const account = L.createChart(document.getElementById("account"), look());
  const hold = account.addSeries(L.LineSeries, { lineWidth: 1, priceFormat: money, ...quiet });
  const equity = account.addSeries(L.AreaSeries, { lineWidth: 2, priceFormat: money, priceLineVisible: false });
  const drawdown = account.addSeries(L.BaselineSeries, {
    baseValue: { type: "price", price: 0 }, lineWidth: 1, priceFormat: percent, ...quiet }, 1);
  const exposure = account.addSeries(L.AreaSeries, { lineWidth: 1, priceFormat: percent, ...quiet }, 2);
  hold.setData(pairs(a.time, a.hold));
  equity.setData(pairs(a.time, a.equity));
  drawdown.setData(pairs(a.time, a.drawdown));
  exposure.setData(pairs(a.time, a.exposure));
  [4, 2, 1.4].forEach((share, i) => account.panes()[i].setStretchFactor(share));

  const candles = L.createChart(document.getElementById("candles"), look());
  const bars = candles.addSeries(L.CandlestickSeries, { priceLineVisible: false });
  const markers = L.createSeriesMarkers(bars, []);
  const MARKERS_READABLE = 400;
  let shown = 0;

  const mark = () => {
    const series = data.instruments[shown];
    const range = candles.timeScale().getVisibleRange();
    const inside = series.trades.filter((t) => !range || (t[1] >= range.from && t[0] <= range.to));
    const few = inside.length <= 15;
    const size = inside.length > MARKERS_READABLE ? 0.3 : inside.length > 100 ? 0.6 : 1;
    const found = [];
    for (const [from, to, bps] of inside) {
      found.push({ time: from, position: "belowBar", shape: "arrowUp", color: color("--accent"), size });
      found.push({ time: to, position: "aboveBar", shape: "arrowDown", size,
        color: color(bps > 0 ? "--up" : "--down"),
        text: few ? (bps > 0 ? "+" : "−") + Math.abs(bps).toFixed(0) : undefined });
    }
    found.sort((x, y) => x.time - y.time);
    markers.setMarkers(found);
  };

  // The last `count` trades fill the view; 0: the whole run.
  const zoom = (count) => {
    const series = data.instruments[shown];
    const trades = series.trades.slice(-count);
    if (!count || series.trades.length <= count) candles.timeScale().fitContent();
    else {
      const step = series.time.length > 1 ? series.time[1] - series.time[0] : 60;
      candles.timeScale().setVisibleRange({
        from: Math.max(series.time[0], trades[0][0] - 8 * step),
        to: Math.min(series.time.at(-1), trades.at(-1)[1] + 8 * step) });
    }
    for (const button of document.getElementById("spans").children)
      button.setAttribute("aria-selected", String(Number(button.value) === count));
  };

  const pill = (parent, text, value, act) => {
    const made = document.createElement("button");
    made.type = "button"; made.textContent = text; made.value = value;
    made.addEventListener("click", act);
    document.getElementById(parent).append(made);
  };

  const show = (i) => {
    shown = i;
    const series = data.instruments[i];
    bars.applyOptions({ priceFormat: {
      type: "price", precision: series.decimals, minMove: 10 ** -series.decimals } });
    bars.setData(series.time.map((t, k) => ({
      time: t, open: series.open[k], high: series.high[k], low: series.low[k], close: series.close[k] })));
    document.getElementById("candles-note").textContent =
      `${series.name}, ${series.step} bars, ${series.trades.length.toLocaleString("en")} ` +
      "trades marked. Drag to move, pinch or drag the time axis to zoom; results in bps appear " +
      "when few trades are in view.";
    for (const [k, tab] of [...document.getElementById("tabs").children].entries())
      tab.setAttribute("aria-selected", String(k === i));
    document.getElementById("spans").replaceChildren();
    pill("spans", "Whole run", 0, () => zoom(0));
    for (const count of [100, 30, 10].filter((n) => n < series.trades.length))
      pill("spans", `Last ${count} trades`, count, () => zoom(count));
    zoom(series.trades.length > 150 ? 30 : 0);
    mark();
  };
  if (data.instruments.length > 1)
    data.instruments.forEach((series, i) => {
      pill("tabs", series.name, i, () => show(i));
      document.getElementById("tabs").lastChild.role = "tab";
    });

  const paint = () => {
    account.applyOptions(look()); candles.applyOptions(look());
    account.timeScale().applyOptions({ timeVisible: days < 8 });
    const accent = color("--accent"), down = color("--down"), up = color("--up");
    hold.applyOptions({ color: color("--hold") });
    equity.applyOptions({ lineColor: accent, topColor: accent + "33", bottomColor: accent + "05" });
    drawdown.applyOptions({ bottomLineColor: down, bottomFillColor1: down + "10", bottomFillColor2: down + "55" });
    exposure.applyOptions({ lineColor: color("--s3"), topColor: color("--s3") + "40", bottomColor: color("--s3") + "08" });
    bars.applyOptions({ upColor: up, downColor: down, borderVisible: false, wickUpColor: up, wickDownColor: down });
    mark();
  };
  paint();
  account.timeScale().fitContent();
  show(0);
  dark.addEventListener("change", paint);
  let waiting = 0;
  candles.timeScale().subscribeVisibleTimeRangeChange(() => {
    cancelAnimationFrame(waiting);
    waiting = requestAnimationFrame(mark);
  });
})();
