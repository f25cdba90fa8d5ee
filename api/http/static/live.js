/* The live page: listens to the stream, shows count and people as they are, and draws the last hour. */
"use strict";

(() => {
  const KEEP_S = 3600;
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const $ = (id) => document.getElementById(id);
  const thousands = (number) => String(number).replace(/\B(?=(\d{3})+$)/g, "\u202f");

  /* As the server words it. */
  const ago = (seconds) => {
    if (seconds < 5) return "just now";
    if (seconds < 60) return `${Math.floor(seconds)} s ago`;
    return `${Math.floor(seconds / 60)} min ago`;
  };

  const cell = (text, name) => {
    const made = document.createElement("td");
    made.textContent = text;
    if (name) made.className = name;
    return made;
  };

  const row = (user, asOf) => {
    const made = document.createElement("tr");
    const person = cell("");
    const code = document.createElement("code");
    code.textContent = user.external_user_id;
    person.append(code);
    const seen = cell("");
    const time = document.createElement("time");
    time.dateTime = user.last_seen;
    time.title = user.last_seen;
    time.textContent = ago((asOf - Date.parse(user.last_seen)) / 1000);
    seen.append(time);
    made.append(person, cell(user.integration, "wide-only"), seen);
    return made;
  };

  document.addEventListener("DOMContentLoaded", () => {
    const page = $("live");
    if (!page) return;
    const minutes = [...document.querySelectorAll("#live-minutes [data-at]")].reverse();
    const data = [minutes.map((one) => Number(one.dataset.at)), minutes.map((one) => Number(one.dataset.live))];
    let nobody = $("live-people").querySelector(".empty")?.closest("tr") ?? null;
    let plot = null;

    const draw = () => {
      const box = $("live-plot");
      $("live-chart").hidden = data[0].length < 2;
      if ($("live-chart").hidden) return;
      plot?.destroy();
      const axis = { stroke: css("--muted"), grid: { stroke: css("--edge"), width: 1 }, ticks: { show: false } };
      plot = new uPlot({
        width: box.clientWidth,
        height: 200,
        legend: { show: false },
        cursor: { y: false, drag: { x: false, y: false } },
        scales: { y: { range: (_, low, high) => [0, Math.max(4, Math.ceil(high * 1.1))] } },
        axes: [
          { ...axis, size: 30, values: (_, ticks) => ticks.map((at) => new Date(at * 1000).toISOString().slice(11, 16)) },
          { ...axis, size: 44, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 100000] },
        ],
        series: [{}, { stroke: css("--pico-primary"), fill: css("--plot-fill"), width: 2, points: { show: false } }],
      }, data, box);
    };

    const show = (seen) => {
      const asOf = Date.parse(seen.as_of);
      $("live-count").textContent = thousands(seen.count);
      const people = seen.data.map((user) => row(user, asOf));
      if (!people.length && !nobody) {
        nobody = document.createElement("tr");
        nobody.append(cell("Nobody is in at the moment.", "empty"));
        nobody.firstChild.colSpan = 3;
      }
      $("live-people").replaceChildren(...(people.length ? people : [nobody]));
      $("live-more").hidden = !seen.has_more;
      $("live-more").textContent = `The first ${people.length} are shown.`;
      const at = Math.floor(asOf / 1000);
      if (at > (data[0].at(-1) ?? 0)) {
        data[0].push(at);
        data[1].push(seen.count);
        while (data[0][0] < at - KEEP_S) data.forEach((one) => one.shift());
      }
      $("live-most").textContent = `most at once: ${thousands(Math.max(...data[1]))}`;
      if (plot) plot.setData(data);
      else draw();
    };

    const say = (text) => {
      if ($("live-state").textContent !== text) $("live-state").textContent = text;
    };

    let stream = null;
    const listen = () => {
      stream = new EventSource(page.dataset.stream);
      stream.addEventListener("live", (event) => {
        say("Moving by itself, once a second.");
        show(JSON.parse(event.data));
      });
      stream.addEventListener("error", () => {
        say("The connection is gone; trying again. The numbers may be old.");
        if (stream.readyState === EventSource.CLOSED) setTimeout(listen, 10000);
      });
    };

    draw();
    listen();
    new ResizeObserver(() => plot?.setSize({ width: $("live-plot").clientWidth, height: 200 })).observe($("live-plot"));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
    addEventListener("pagehide", () => stream?.close());
    addEventListener("pageshow", (event) => { if (event.persisted) listen(); });
  });
})();
