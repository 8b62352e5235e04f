// What the page does beside showing itself: it asks again for what may have changed, says
// when nobody answers, and draws charts. Without it everything can still be read.
"use strict";
(() => {
  const retry = 3; // seconds, while nobody answers
  let lost = null, opened = new Set();

  const live = () => document.querySelector("#live[data-refresh]");

  function ask() {
    const part = live();
    if (part && !document.hidden) htmx.trigger(part, "refresh");
    plan();
  }
  let timer = 0;
  function plan() {
    clearTimeout(timer);
    const part = live();
    if (part) timer = setTimeout(ask, 1000 * (lost ? retry : Number(part.dataset.refresh)));
  }

  function disconnected() {
    if (lost) return;
    lost = new Date();
    const note = document.getElementById("offline");
    const time = String(lost.getHours()).padStart(2, "0") + ":" + String(lost.getMinutes()).padStart(2, "0");
    note.textContent = note.dataset.lost.replace("{time}", time);
    note.hidden = false;
    document.body.classList.add("lost");
    plan();
  }
  function connected() {
    if (!lost) return;
    lost = null;
    document.getElementById("offline").hidden = true;
    document.body.classList.remove("lost");
    plan();
  }

  // What somebody has unfolded stays so.
  document.addEventListener("htmx:beforeSwap", () => {
    opened = new Set([...document.querySelectorAll("#live details[open]")].map((d) => d.id));
  });
  document.addEventListener("htmx:afterSwap", () => {
    for (const id of opened) document.getElementById(id)?.setAttribute("open", "");
    plan();
  });
  document.addEventListener("htmx:afterOnLoad", connected);
  for (const failure of ["htmx:sendError", "htmx:timeout", "htmx:responseError"]) document.addEventListener(failure, disconnected);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) ask(); });

  // Charts.
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
  const lines = () => [colour("accent"), colour("ink"), colour("warning"), colour("ok"), colour("critical"), colour("unknown"), colour("ink-3"), colour("line-strong")];

  function scaled(v, base, units) {
    let unit = 0;
    while (Math.abs(v) >= base && unit < units.length - 1) { v /= base; unit++; }
    return (Math.abs(v) >= 100 ? v.toFixed(0) : String(Number(v.toFixed(2)))) + units[unit];
  }
  const shown = {
    bytes: (v) => scaled(v, 1000, [" B", " kB", " MB", " GB", " TB", " PB"]),
    share: (v) => Number((v * 100).toFixed(2)) + " %",
    seconds: (v) => v < 1 ? Number((v * 1000).toFixed(1)) + " ms" : v < 120 ? Number(v.toFixed(1)) + " s" : Number((v / 60).toFixed(1)) + " min",
    number: (v) => scaled(v, 1000, ["", "k", "M", "G"]),
    rate: (v) => scaled(v, 1000, ["", "k", "M", "G"]) + "/s",
  };

  // A chart's lines share their times; where one has no sample it has a gap.
  function table(chart) {
    const times = [...new Set(chart.series.flatMap((s) => s.points.map((p) => p[0])))].sort((a, b) => a - b);
    const rows = chart.series.map((s) => { const at = new Map(s.points); return times.map((t) => at.get(t) ?? null); });
    return [times, ...rows];
  }

  const drawn = new Map();
  function draw(place) {
    const chart = JSON.parse(place.dataset.plot), say = shown[chart.unit] ?? shown.number, ink = colour("ink-3"), line = colour("line");
    const axis = { stroke: ink, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 }, font: "11px system-ui, sans-serif" };
    drawn.get(place)?.destroy();
    drawn.set(place, new uPlot({
      tzDate: (at) => new Date(1000 * (at + Number(place.dataset.offset) + 60 * new Date(1000 * at).getTimezoneOffset())),
      width: place.clientWidth, height: 176,
      cursor: { y: false, points: { size: 6 } },
      legend: { show: true },
      scales: { x: { range: (_, low, high) => chart.from ? [chart.from, chart.to] : [low, high] }, y: { range: (_, low, high) => chart.unit === "share" ? [0, Math.max(1, high)] : [Math.min(0, low), high > 0 ? high * 1.1 : 1] } },
      axes: [
        { ...axis, values: [[86400, "{MM}-{DD}", null, null, null, null, null, null, 1], [60, "{HH}:{mm}", "\n{MM}-{DD}", null, "\n{MM}-{DD}", null, null, null, 1], [1, "{HH}:{mm}:{ss}", null, null, null, null, null, null, 1]] },
        { ...axis, size: 64, values: (_, all) => all.map(say) },
      ],
      series: [
        { label: place.dataset.time, value: "{YYYY}-{MM}-{DD} {HH}:{mm}" },
        ...chart.series.map((s, i) => ({ label: s.name || chart.title, stroke: lines()[i % lines().length], width: 1.5, points: { show: s.points.length < 40, size: 5 }, value: (_, v) => v == null ? "–" : say(v) })),
      ],
    }, table(chart), place));
  }
  const drawAll = () => { for (const place of document.querySelectorAll(".plot")) draw(place); };

  document.addEventListener("DOMContentLoaded", () => {
    drawAll();
    plan();
    let width = innerWidth;
    addEventListener("resize", () => { if (innerWidth !== width) { width = innerWidth; drawAll(); } });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  });
})();
