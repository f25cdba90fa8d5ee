/* Proof of work before the form goes: the browser solves in a worker what the server sets. */
"use strict";

(() => {
  const form = document.querySelector("form[data-challenge]");
  if (!form) return;
  const said = form.querySelector("[role=status]");
  const FRESH_MS = 5 * 60 * 1000;
  let solving = null, begunAt = 0, going = false;

  const work = (challenge) => new Promise((resolve, reject) => {
    const worker = new Worker(form.dataset.worker);
    worker.onmessage = ({ data }) => {
      worker.terminate();
      if (data && !data.error) resolve(data);
      else reject(new Error("unsolved"));
    };
    worker.onerror = reject;
    worker.postMessage({ type: "work", challenge, counterStart: 0, counterStep: 1 });
  });

  const solve = async () => {
    const answer = await fetch(form.dataset.challenge);
    if (!answer.ok) throw new Error(String(answer.status));
    const challenge = await answer.json();
    const solution = await work(challenge);
    form.elements.altcha.value = btoa(JSON.stringify({ challenge, solution }));
  };

  const solved = () => {
    if (!solving || Date.now() - begunAt > FRESH_MS) {
      begunAt = Date.now();
      solving = solve();
      solving.catch(() => { solving = null; });
    }
    return solving;
  };

  /* It is done while people type. */
  form.addEventListener("focusin", () => { solved().catch(() => {}); }, { once: true });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (going) return;
    going = true;
    said.textContent = "One moment: your browser does a small sum that keeps machines out.";
    solved().then(() => form.submit(), () => {
      going = false;
      said.textContent = "That did not work. Look at your connection and try again.";
    });
  });

  /* Back again: what was solved has been spent. */
  addEventListener("pageshow", (event) => {
    if (event.persisted) [solving, going, said.textContent] = [null, false, ""];
  });
})();
