/* Files embedded in the page, and files that it saves. */

function carriedBytes(id) {
  const text = atob(document.getElementById(id).textContent.trim());
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

async function carriedText(id) {
  const packed = new Blob([carriedBytes(id)]).stream();
  return new Response(packed.pipeThrough(new DecompressionStream("gzip"))).text();
}

function save(name, content) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content instanceof Blob ? content : new Blob([content]));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
