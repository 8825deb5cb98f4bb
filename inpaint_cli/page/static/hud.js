// What is drawn over photo and mask: the brush's ring, the crosshair, boxes and lassos.

export function drawHud(editor) {
  const { hud, view, stroke } = editor;
  const context = hud.getContext("2d");
  const [across, down] = view.size;
  const pen = (path) => twoTone(context, path, editor.ratio);
  context.clearRect(0, 0, across, down);
  if (editor.mode === "compare" && !editor.original) {
    pen(line([[editor.border, 0], [editor.border, down]]));
  }
  if (!editor.covers || editor.locked) return;
  if (stroke?.corner) pen(outline(view, stroke.corner, stroke.end));
  if (stroke?.points) pen(line(stroke.points.map(([x, y]) => view.toScreen(x + 0.5, y + 0.5))));
  const at = editor.hover ?? editor.crosshair;
  if (at && (editor.tool === "brush" || editor.tool === "eraser")) {
    pen(ring(view, at, editor.radius));
  }
  if (editor.crosshair && !editor.hover) pen(cross(view, editor.crosshair, 14 * editor.ratio));
}

function ring(view, [x, y], radius) {
  const path = new Path2D();
  const [sx, sy] = view.toScreen(x + 0.5, y + 0.5);
  path.arc(sx, sy, Math.max(2, (radius + 0.5) * view.scale), 0, 2 * Math.PI);
  return path;
}

function cross(view, [x, y], arm) {
  const path = new Path2D();
  const [sx, sy] = view.toScreen(x + 0.5, y + 0.5);
  path.moveTo(sx - arm, sy);
  path.lineTo(sx + arm, sy);
  path.moveTo(sx, sy - arm);
  path.lineTo(sx, sy + arm);
  return path;
}

function outline(view, [x0, y0], [x1, y1]) {
  const path = new Path2D();
  const [left, top] = view.toScreen(Math.min(x0, x1), Math.min(y0, y1));
  const [right, bottom] = view.toScreen(Math.max(x0, x1) + 1, Math.max(y0, y1) + 1);
  path.rect(left, top, right - left, bottom - top);
  return path;
}

function line(points) {
  const path = new Path2D();
  points.forEach(([x, y], i) => (i ? path.lineTo(x, y) : path.moveTo(x, y)));
  return path;
}

// White within black is seen on any photo.
function twoTone(context, path, ratio) {
  context.lineWidth = 3 * ratio;
  context.strokeStyle = "#000";
  context.stroke(path);
  context.lineWidth = 1.25 * ratio;
  context.strokeStyle = "#fff";
  context.stroke(path);
}
