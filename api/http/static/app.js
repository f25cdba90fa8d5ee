/* What the pages do beyond htmx: copy buttons, tabs of code, countdowns, ticking all. Without it every page still works. */
"use strict";

(() => {
  /* Copy: <button data-copy="id"> copies the text of #id. */
  const copy = async (button) => {
    const source = document.getElementById(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(source.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(source);
      button.textContent = "Selected";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  };

  /* Tabs: the sections of a [data-tabs] become tabs, and the language chosen in one is chosen in all. */
  const choose = (label) => {
    for (const box of document.querySelectorAll("[data-tabs]")) {
      for (const tab of box.querySelectorAll("[role=tab]")) {
        const chosen = tab.textContent === label;
        tab.setAttribute("aria-selected", String(chosen));
        tab.tabIndex = chosen ? 0 : -1;
        document.getElementById(tab.getAttribute("aria-controls")).hidden = !chosen;
      }
    }
    try { localStorage.setItem("language", label); } catch { /* a browser that keeps nothing */ }
  };

  const tabs = (box, number) => {
    const list = document.createElement("div");
    list.setAttribute("role", "tablist");
    list.setAttribute("aria-label", "Language");
    const panels = [...box.querySelectorAll("[data-tab]")];
    panels.forEach((panel, at) => {
      panel.id ||= `tab-${number}-${at}`;
      panel.setAttribute("role", "tabpanel");
      panel.querySelector("h4").hidden = true;
      const tab = document.createElement("button");
      tab.type = "button";
      tab.setAttribute("role", "tab");
      tab.setAttribute("aria-controls", panel.id);
      tab.textContent = panel.dataset.tab;
      tab.addEventListener("click", () => choose(tab.textContent));
      tab.addEventListener("keydown", (event) => {
        const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
        if (!step) return;
        const next = list.children[(at + step + panels.length) % panels.length];
        choose(next.textContent);
        next.focus();
      });
      list.append(tab);
    });
    box.insertBefore(list, panels[0]);
  };

  /* Countdowns, by the server's clock: the browser's may be wrong. */
  const words = (seconds) => {
    const [d, h, m, s] = [86400, 3600, 60, 1].map((unit, at, units) =>
      Math.floor((at ? seconds % units[at - 1] : seconds) / unit));
    if (d) return `${d} d ${h} h`;
    if (h) return `${h} h ${m} min`;
    return m ? `${m} min ${s} s` : `${s} s`;
  };

  const tick = () => {
    for (const time of document.querySelectorAll("time.countdown")) {
      time.dataset.ahead ??= String(Date.now() - Date.parse(time.dataset.now));
      const left = Date.parse(time.dateTime) - (Date.now() - Number(time.dataset.ahead));
      time.textContent = words(Math.max(0, Math.round(left / 1000)));
    }
  };

  /* <input type="checkbox" data-all="name"> ticks all of that name in its form. */
  document.addEventListener("change", (event) => {
    const all = event.target.closest?.("[data-all]");
    if (!all) return;
    for (const box of all.form.querySelectorAll(`input[name="${all.dataset.all}"]`)) box.checked = all.checked;
  });

  const enhance = () => {
    for (const box of document.querySelectorAll("[data-all][hidden]")) box.hidden = false;
    for (const button of document.querySelectorAll("[data-copy][hidden]")) button.hidden = false;
    tick();
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy]");
    if (button) copy(button);
  });
  document.addEventListener("DOMContentLoaded", () => {
    const boxes = [...document.querySelectorAll("[data-tabs]")];
    boxes.forEach(tabs);
    let kept = null;
    try { kept = localStorage.getItem("language"); } catch { /* a browser that keeps nothing */ }
    if (boxes.length) choose(kept === "JavaScript" ? kept : "Python");
    enhance();
    setInterval(tick, 1000);
  });
  document.addEventListener("htmx:afterSettle", enhance);
})();
