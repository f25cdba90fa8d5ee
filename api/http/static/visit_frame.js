// The waiting list inside a partner's page. Tells the registered origin, and no other, what it shows:
//   {source: "firstuser", type: "waitlist.height", height}
//   {source: "firstuser", type: "waitlist.status", status, position}     status: waiting, accepted, rejected, over
//   {source: "firstuser", type: "waitlist.code", code, state}            once, when accepted
"use strict";
(() => {
  const { origin, code: codePath } = document.body.dataset;
  let status = "";
  let height = 0;

  const tell = (type, facts) =>
    window.parent.postMessage({ source: "firstuser", type: `waitlist.${type}`, ...facts }, origin);

  const fetchCode = async () => {
    const answer = await fetch(codePath, { method: "POST", cache: "no-store" });
    if (!answer.ok) {
      throw new Error(`the code was refused with ${answer.status}`);
    }
    const { code, state } = await answer.json();
    tell("code", { code, state });
  };

  const report = () => {
    const shown = document.getElementById("state").dataset;
    const needed = document.documentElement.scrollHeight;
    if (needed !== height) {
      height = needed;
      tell("height", { height });
    }
    tell("status", { status: shown.status, position: shown.position ? Number(shown.position) : null });
    if (shown.status === "accepted" && status !== "accepted") {
      fetchCode().catch(() => tell("status", { status: "over", position: null }));
    }
    status = shown.status;
  };

  document.body.addEventListener("htmx:afterSettle", report);
  report();
})();
