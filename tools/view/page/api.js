// Questions to the server. Every function rejects with an Error whose message can be shown.

async function answer(response) {
  if (response.ok) return response;
  let message = `${response.status} ${response.statusText}`;
  try {
    message = (await response.json()).error ?? message;
  } catch { /* the status says it */ }
  throw new Error(message);
}

export async function getJson(address) {
  return (await answer(await fetch(address))).json();
}

export async function getBytes(address) {
  return new Uint8Array(await (await answer(await fetch(address))).arrayBuffer());
}

export async function postJson(address, document) {
  return (await answer(await fetch(address, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(document),
  }))).json();
}

let slideRoot = "/api/slides";

/** Where slides are asked for; in a reader study that is below the reader's own address. */
export function askForSlidesAt(root) { slideRoot = root; }

export const slideAddress = (id, ...parts) => [slideRoot, encodeURIComponent(id), ...parts].join("/");
