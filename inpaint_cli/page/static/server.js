// Requests to the server of this page: with the token, and with errors as one sentence.

const RETRY_MS = 5000;
const MOST_LAST_BYTES = 60000; // of what a browser still sends for a page that is left: 64 KiB
const GONE = "inpaint does not answer: is it still running in the terminal?";
export const ELSEWHERE = "this session was opened in another tab. Go on there, or reload this one.";

export class Refused extends Error {
  constructor(status, answer) {
    super(answer.error ?? `the server answered ${status}`);
    this.status = status; // 0: nobody answered
    this.answer = answer;
  }
}

export class Server {
  // on: {lost(error), found(refused), elsewhere()}; refused: why what answers again does not let
  // this page in, as one that was started anew does not.
  constructor(on) {
    this.on = on;
    this.page = null;
    this.lost = false;
    this.back = null; // comes true when a server that was lost answers again
    this.sent = null; // the edition of the mask that the server has
    this.sending = Promise.resolve();
    this.photo = null; // the version of the photo that is seen
  }

  // Takes the token out of the address, where it was not sent to anyone, and keeps it for a reload.
  async enter() {
    const hash = location.hash.slice(1);
    history.replaceState(null, "", location.pathname);
    if (hash.startsWith("once=")) {
      const answer = await this.json("POST", "/api/enter", { once: hash.slice(5) });
      sessionStorage.setItem("token", answer.token);
    } else if (hash) sessionStorage.setItem("token", hash);
    const state = await this.json("POST", "/api/page", {});
    this.page = state.page;
    return state;
  }

  async json(method, path, body) {
    const content = body === undefined ? undefined : JSON.stringify(body);
    return (await this.ask(method, path, content)).json();
  }

  async bytes(method, path, body, headers) {
    return new Uint8Array(await (await this.ask(method, path, body, headers)).arrayBuffer());
  }

  // Sends a mask, one after the other: of two on their way, the older one might come last.
  putMask(mask) {
    this.sending = this.sending.catch(() => {}).then(async () => {
      const { edition } = mask;
      if (edition === this.sent) return;
      await this.ask("PUT", "/api/mask", mask.packed());
      this.sent = edition;
    });
    return this.sending;
  }

  // Sends a mask while the page is left; false where that is not sure: too large, or nobody there.
  sendLast(mask) {
    if (mask.edition === this.sent) return true;
    if (this.lost) return false;
    const body = mask.packed();
    if (body.length > MOST_LAST_BYTES) {
      this.putMask(mask).catch(() => {});
      return false;
    }
    this.ask("PUT", "/api/mask", body, {}, { keepalive: true }).catch(() => {});
    return true;
  }

  // Has the server make a mask of what was sent; the next ones wait until it is taken. Returns
  // remarks on it.
  makeMask(path, body, headers, take) {
    this.sending = this.sending.catch(() => {}).then(async () => {
      const answer = await this.ask("POST", path, body, headers);
      take(new Uint8Array(await answer.arrayBuffer()));
      return decodeURIComponent(answer.headers.get("x-notes") ?? "");
    });
    return this.sending;
  }

  async picture(path) {
    return createImageBitmap(await (await this.ask("GET", path)).blob());
  }

  async address(path) {
    return URL.createObjectURL(await (await this.ask("GET", path)).blob());
  }

  // Puts a file of the server into the user's folder of downloads.
  async download(path) {
    const answer = await this.ask("GET", path);
    const link = document.createElement("a");
    link.href = URL.createObjectURL(await answer.blob());
    link.download = decodeURIComponent(answer.headers.get("x-name"));
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    return link.download;
  }

  async ask(method, path, body, headers = {}, how = {}) {
    const token = sessionStorage.getItem("token") ?? "";
    const own = { "X-Inpaint-Token": token };
    if (this.page !== null) own["X-Inpaint-Page"] = String(this.page);
    if (this.photo !== null) own["X-Inpaint-Photo"] = String(this.photo);
    let answer;
    try {
      answer = await fetch(path, { method, body, headers: { ...own, ...headers }, ...how });
    } catch {
      const gone = new Refused(0, { error: GONE });
      this.#gone(gone);
      throw gone;
    }
    if (answer.ok) return answer;
    const told = await answer.json().catch(() => ({}));
    if (answer.status === 409 && told.error === "opened in another tab.") {
      told.error = ELSEWHERE;
      this.on.elsewhere();
    }
    throw new Refused(answer.status, told);
  }

  // Yields the news of a round, and goes on where it was when the connection breaks.
  async *news(round, from = 0) {
    let sent = from;
    for (;;) {
      const answer = await this.ask("GET", `/api/rounds/${round}/events?from=${sent}`);
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      let rest = "";
      for (;;) {
        const { value, done } = await reader.read().catch(() => ({ done: true }));
        if (done) break;
        const lines = (rest + value).split("\n");
        rest = lines.pop();
        for (const line of lines.filter(Boolean)) {
          const event = JSON.parse(line);
          sent += 1;
          yield event;
          if (["done", "cancelled", "failed"].includes(event.event)) return;
        }
      }
    }
  }

  #gone(error) {
    if (this.lost) return;
    this.lost = true;
    this.back = new Promise((resolve) => {
      const again = async () => {
        const refused = await this.ask("GET", "/api/state").then(() => null, (why) => why);
        if (refused?.status === 0) {
          setTimeout(again, RETRY_MS);
          return;
        }
        this.lost = false;
        this.on.found(refused);
        resolve();
      };
      setTimeout(again, RETRY_MS);
    });
    this.on.lost(error);
  }
}
