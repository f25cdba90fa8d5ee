/*! FirstUser widget loader. <script src="https://…/widget.js"></script>, then
 *
 *   FirstUser.mount({ container: "#chat", getToken: () => fetch("/our/widget-token").then((r) => r.json()) });
 *
 * `getToken` resolves to what POST /api/integration/v1/widget/token answered to your back end: { token, frame_url }.
 * It is called again whenever the frame needs a fresh token. `onError` (optional) hears what went wrong.
 */
(() => {
  "use strict";
  const home = new URL(document.currentScript.src).origin;
  const LEAST = 240;
  const MOST = 640;

  const late = (seconds) =>
    new Promise((_, refuse) => setTimeout(() => refuse(new Error("getToken takes too long.")), seconds * 1000));

  function mount({ container, getToken, onError = (error) => console.error("FirstUser:", error) }) {
    const place = typeof container === "string" ? document.querySelector(container) : container;
    if (!place || typeof getToken !== "function") {
      throw new TypeError("FirstUser.mount needs a container and getToken.");
    }
    const frame = document.createElement("iframe");
    frame.title = "Chat";
    frame.referrerPolicy = "no-referrer";
    frame.setAttribute("sandbox", "allow-scripts allow-same-origin allow-forms");
    Object.assign(frame.style, { width: "100%", height: `${LEAST}px`, border: "0", colorScheme: "light dark" });
    let fresh = null; // a token that the frame has not been given yet; it is kept nowhere else
    let ready = false;
    let asking = false;
    let timer = 0;

    const tell = (said) => frame.contentWindow.postMessage({ firstuser: 1, ...said }, home);

    async function fetchToken(patience = 1) {
      if (asking) return;
      asking = true;
      try {
        const { token, frame_url } = await Promise.race([getToken(), late(30)]);
        const url = new URL(frame_url);
        if (typeof token !== "string" || url.origin !== home || url.pathname !== "/widget/frame") {
          throw new TypeError("getToken gave no token and frame_url of this service.");
        }
        fresh = token;
        if (!frame.isConnected) {
          frame.src = url.href;
          place.append(frame);
        }
        if (ready) handOver();
      } catch (error) {
        onError(error);
        timer = setTimeout(() => fetchToken(Math.min(patience * 2, 60)), patience * 1000);
      } finally {
        asking = false;
      }
    }

    function handOver() {
      const token = fresh;
      fresh = null;
      tell({ type: "token", token });
    }

    function hear(event) {
      if (event.origin !== home || event.source !== frame.contentWindow) return;
      const said = event.data;
      if (!said || said.firstuser !== 1) return;
      if (said.type === "ready") {
        ready = true;
        if (fresh) handOver();
        else fetchToken();
      } else if (said.type === "refresh") {
        fetchToken();
      } else if (said.type === "size" && Number.isFinite(said.height)) {
        frame.style.height = `${Math.min(MOST, Math.max(LEAST, Math.ceil(said.height)))}px`;
      }
    }

    window.addEventListener("message", hear);
    fetchToken();
    return {
      destroy() {
        clearTimeout(timer);
        window.removeEventListener("message", hear);
        frame.remove();
      },
    };
  }

  window.FirstUser = Object.freeze({ mount });
})();
