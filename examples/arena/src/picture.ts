// The arena drawn with characters. Pure: scenes in, lines with ANSI colours out.

import { SIZE, WALLS, wallDistance } from './arena.ts';

/** A player in a scene. */
export interface ScenePlayer {
  readonly id: number;
  readonly x: number;
  readonly y: number;
  readonly aim: number;
  /** Highlighted: the bot that is watched. */
  readonly own: boolean;
  readonly down: boolean;
  /** Has fired a moment ago. */
  readonly firing: boolean;
}

/** What there is to draw. */
export interface Scene {
  readonly players: readonly ScenePlayer[];
  readonly items: readonly { readonly x: number; readonly y: number }[];
}

/** Colours, as parameters of the ANSI sequence "select graphic rendition". */
export const Colour = {
  plain: '0',
  dim: '2',
  wall: '90',
  item: '33',
  shot: '93',
  own: '1;30;42',
  title: '1',
} as const;

const PLAYER_COLOURS = ['31', '32', '34', '35', '36', '91', '94', '95', '96'];
/** By eighths of a turn from +x; y grows downwards on the screen. */
const ARROWS = ['→', '↘', '↓', '↙', '←', '↖', '↑', '↗'];
const SHOT_UNITS_MAX = 40;
const SHOT_STEP = 0.5;

/** A rectangle of coloured characters. */
export class Picture {
  readonly width: number;
  readonly height: number;
  readonly #characters: string[];
  readonly #colours: string[];

  constructor(width: number, height: number) {
    this.width = width;
    this.height = height;
    this.#characters = new Array<string>(width * height).fill(' ');
    this.#colours = new Array<string>(width * height).fill(Colour.plain);
  }

  /** Outside of the picture nothing is drawn. */
  put(column: number, row: number, character: string, colour: string): void {
    if (column < 0 || row < 0 || column >= this.width || row >= this.height) return;
    this.#characters[row * this.width + column] = character;
    this.#colours[row * this.width + column] = colour;
  }

  write(column: number, row: number, text: string, colour: string): void {
    let at = column;
    for (const character of text) this.put(at++, row, character, colour);
  }

  /** Rows as text with colours. */
  lines(): string[] {
    return Array.from({ length: this.height }, (_, row) => this.#line(row));
  }

  #line(row: number): string {
    let line = '';
    let colour: string = Colour.plain;
    for (let at = row * this.width; at < (row + 1) * this.width; at++) {
      if (this.#colours[at] !== colour) {
        colour = this.#colours[at]!;
        line += `\x1b[0;${colour}m`;
      }
      line += this.#characters[at];
    }
    return colour === Colour.plain ? line : `${line}\x1b[0m`;
  }
}

/** Where in a picture an arena is drawn, frame included. */
export interface Box {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** Draws a scene with a frame and a title around it. */
export function drawArena(picture: Picture, box: Box, title: string, scene: Scene): void {
  drawFrame(picture, box, title);
  const inner = {
    left: box.left + 1,
    top: box.top + 1,
    width: box.width - 2,
    height: box.height - 2,
  };
  const column = (x: number) => place(x, inner.left, inner.width);
  const row = (y: number) => place(y, inner.top, inner.height);
  for (let r = 0; r < inner.height; r++) {
    for (let c = 0; c < inner.width; c++) {
      const x = ((c + 0.5) / inner.width) * 2 * SIZE - SIZE;
      const y = ((r + 0.5) / inner.height) * 2 * SIZE - SIZE;
      if (inWall(x, y, SIZE / inner.width, SIZE / inner.height)) {
        picture.put(inner.left + c, inner.top + r, '▒', Colour.wall);
      }
    }
  }
  for (const { x, y } of scene.items) picture.put(column(x), row(y), '◆', Colour.item);
  for (const player of scene.players) {
    if (player.firing) drawShot(player, (x, y) => picture.put(column(x), row(y), '·', Colour.shot));
  }
  for (const player of scene.players) drawPlayer(picture, column(player.x), row(player.y), player);
}

function drawFrame(picture: Picture, { left, top, width, height }: Box, title: string): void {
  const rule = '─'.repeat(width - 2);
  picture.write(left, top, `┌${rule}┐`, Colour.wall);
  picture.write(left, top + height - 1, `└${rule}┘`, Colour.wall);
  for (let r = 1; r < height - 1; r++) {
    picture.put(left, top + r, '│', Colour.wall);
    picture.put(left + width - 1, top + r, '│', Colour.wall);
  }
  picture.write(left + 2, top, ` ${title} `.slice(0, Math.max(0, width - 4)), Colour.title);
}

/** Also true for walls thinner than a cell, half the size of which is given. */
function inWall(x: number, y: number, halfWidth: number, halfHeight: number): boolean {
  return WALLS.some(
    ([left, top, right, bottom]) =>
      x > left - halfWidth &&
      x < right + halfWidth &&
      y > top - halfHeight &&
      y < bottom + halfHeight,
  );
}

function drawShot({ x, y, aim }: ScenePlayer, dot: (x: number, y: number) => void): void {
  const ax = Math.cos(aim);
  const ay = Math.sin(aim);
  const length = Math.min(SHOT_UNITS_MAX, wallDistance(x, y, ax, ay));
  for (let along = 1; along < length; along += SHOT_STEP) {
    const [dotX, dotY] = [x + ax * along, y + ay * along];
    if (Math.abs(dotX) >= SIZE || Math.abs(dotY) >= SIZE) return;
    dot(dotX, dotY);
  }
}

function drawPlayer(picture: Picture, column: number, row: number, player: ScenePlayer): void {
  const { id, aim, own, down } = player;
  const eighth = Math.round(aim / (Math.PI / 4));
  const character = down ? '×' : ARROWS[((eighth % 8) + 8) % 8]!;
  const colour = own ? Colour.own : PLAYER_COLOURS[id % PLAYER_COLOURS.length]!;
  picture.put(column, row, character, down && !own ? Colour.dim : colour);
}

/** The cell of a coordinate. */
function place(units: number, start: number, cells: number): number {
  const cell = Math.floor(((units + SIZE) / (2 * SIZE)) * cells);
  return start + Math.max(0, Math.min(cells - 1, cell));
}
