// The few pages, and what a browser may load on them: our own files and FirstUser's widget.

const WELCOME =
  '<form method="post" action="/signup"><label>Name <input name="user_id" required></label>' +
  "<button>Sign up</button></form>";
const ASK = '<form method="post" action="/join"><button>Ask for access</button></form>';
const LEAVE = '<form method="post" action="/logout"><button>Log out</button></form>';

export class Pages {
  #chat;
  #policy;

  constructor(firstuserUrl) {
    const widget = escaped(`${firstuserUrl}/widget.js`);
    this.#chat =
      `<div id="chat"></div><script src="${widget}" defer></script>` +
      '<script src="/public/chat.js" defer></script>';
    this.#policy =
      `default-src 'none'; script-src 'self' ${firstuserUrl}; frame-src ${firstuserUrl};` +
      " connect-src 'self'; img-src data:; base-uri 'none'; frame-ancestors 'none'";
  }

  welcome() {
    return this.#page("Welcome", WELCOME);
  }

  ask(userId) {
    return this.#page(`Hello ${userId}`, ASK);
  }

  // With FirstUser's chat on it.
  product(userId) {
    return this.#page(`You are in, ${userId}`, this.#chat + LEAVE);
  }

  sorry(why, status) {
    return this.#page("Sorry", `<p>${escaped(why)}</p>`, status);
  }

  #page(title, content, status = 200) {
    const shown = escaped(title);
    const head = `<title>${shown}</title><link rel="icon" href="data:,">`;
    const body = `<!doctype html><html lang="en">${head}<h1>${shown}</h1>${content}</html>`;
    const headers = { "Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": this.#policy };
    return { status, headers, body };
  }
}

function escaped(text) {
  return text.replace(/[&<>"']/g, (letter) => `&#${letter.charCodeAt(0)};`);
}
