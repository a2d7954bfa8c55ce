// The house rules of ARCHITECTURE.md, enforced; and each rule proven able to fail by planted violations.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { binOf, cacheFolder } from '../scripts/bootstrap.mjs';
import {
  checkCycles,
  checkGuests,
  checkLayers,
  checkNode,
  checkPackages,
  checkPurity,
  checkShape,
  checkTargets,
  LINES_MAX,
} from './architecture/rules.ts';
import { codeOf, importsOf, type SourceFile } from './architecture/source.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const packages = readdirSync(join(root, 'packages'));
const sources = packages.flatMap((name) => sourcesUnder(`packages/${name}/src`));
const dependencies = Object.fromEntries(packages.map((name) => [name, dependenciesOf(name)]));

describe('the repository', () => {
  it('is read at all', () => {
    expect(packages.sort()).toEqual(['cli', 'client-node', 'netsim', 'protocol', 'server']);
    for (const name of packages) {
      expect(sources.filter((file) => file.path.startsWith(`packages/${name}/src/`))).not.toEqual(
        [],
      );
    }
  });

  it('keeps the layers of packages/protocol', () => expect(checkLayers(sources)).toEqual([]));
  it('keeps the package graph', () => expect(checkPackages(sources, dependencies)).toEqual([]));
  it('imports only files that exist', () => expect(checkTargets(sources)).toEqual([]));
  it('has no import cycle', () => expect(checkCycles(sources)).toEqual([]));
  it('touches Node in its shells only', () => expect(checkNode(sources)).toEqual([]));
  it('imports packages of others in one file each', () => expect(checkGuests(sources)).toEqual([]));
  it('is pure outside of its shells', () => expect(checkPurity(sources)).toEqual([]));

  it('keeps files short and their names telling', () => {
    const page = join(root, 'ARCHITECTURE.md');
    const text = existsSync(page) ? readFileSync(page, 'utf8') : '';
    expect(checkShape(sources, text)).toEqual([]);
  });

  it('reaches into packages from outside by their names only', () => {
    const outside = ['examples', 'benchmarks'].flatMap(sourcesUnder);
    const reaching = outside.flatMap(({ path, text }) =>
      importsOf(text)
        .filter(({ specifier }) => /^\.\.?\/.*\bpackages\//.test(specifier))
        .map(({ specifier, line }) => `${path}:${line} ${specifier}`),
    );
    expect(reaching).toEqual([]);
  });
});

describe('the core entries', () => {
  const core = `import * as client from '@tickwire/client-node/core';
import * as protocol from '@tickwire/protocol';
import * as server from '@tickwire/server/core';
export const names = [client, protocol, server].map((entry) => Object.keys(entry).length);
`;

  it('compile, sources included, with no Node and no DOM types', () => {
    const { status, stdout } = compile('core', core);
    const [files, complaints] = partition(stdout);
    expect(complaints).toEqual([]);
    expect(status).toBe(0);
    expect(files.filter((path) => /@types\/|\/lib\.dom/.test(path))).toEqual([]);
    for (const entry of ['protocol/src/index', 'server/src/core', 'client-node/src/core']) {
      expect(files).toContainEqual(expect.stringContaining(`packages/${entry}.ts`));
    }
  });

  it.each([
    ['a timer', 'setTimeout(() => {}, 1);\n', "'setTimeout'"],
    ['the DOM', 'export const page = document;\n', "'document'"],
    ['a Node module', "import 'node:dgram';\nexport {};\n", "'node:dgram'"],
    ['a shell', "import '@tickwire/protocol/udp';\nexport {};\n", 'packages/protocol/src/udp/'],
  ])('would not compile with %s', (name, text, complaint) => {
    const { status, stdout } = compile(`core-with-${name.replaceAll(' ', '-')}`, text);
    expect(status).not.toBe(0);
    expect(partition(stdout)[1].join('\n')).toContain(complaint);
  });
});

describe('reading imports', () => {
  it('finds every form, type imports included', () => {
    const text = `import 'a';
import b from 'b';
import type { C } from "c";
import {
  d, // from 'not-this'
  type D,
} from './d.ts';
export * from 'e';
export type { F } from 'f';
type G = import('g').G;
const h = await import(\`h\`);
/// <reference types="node" />
`;
    const found = importsOf(text).map((one) => `${one.line} ${one.specifier}`);
    expect(found).toEqual([
      '1 a',
      '2 b',
      '3 c',
      '4 ./d.ts',
      '8 e',
      '9 f',
      '10 g',
      '11 h',
      '12 reference node',
    ]);
  });

  it('names what is computed', () => {
    const found = importsOf("import('a' + b); import(`x${c}`); require(d);");
    expect(found.map((one) => one.specifier)).toEqual(['(computed)', '(computed)', '(computed)']);
  });

  it.each([
    "// import 'x'",
    "/* import y from 'x' */",
    '"import y from \'x\'"',
    "`${'`'} import y from 'x'`",
    'import.meta.url',
    "const from = 'x'; export { from };",
    "this.import('x')",
    "const quote = /'/; export const a = 1; const b = ' from ';",
  ])('is not taken in by %s', (text) => expect(importsOf(text)).toEqual([]));

  it('leaves code and lines, takes comments, strings, templates and expressions', () => {
    const code = codeOf(
      "a('Date') // Date\nb(`Date ${c({ d: `Date` })} Date`, /[/]Date/g) / e /* Date\n */;f",
    );
    expect(code.replace(/ +/g, ' ')).toBe("a(' ') \nb(` ${c({ d: ` ` })} `, ) / e \n ;f");
    expect(codeOf('x = (a + b) / c / d;')).toBe('x = (a + b) / c / d;');
    expect(codeOf("it's = broken `")).toBe("it's = broken `");
  });
});

describe('planted violations', () => {
  it.each([
    ['wire/a.ts', "import '../transport/b.ts';"],
    ['transport/a.ts', "import type { B } from '../replication/b.ts';"],
    ['transport/a.ts', "type B = import('../session/b.ts').B;"],
    ['replication/a.ts', "export { b } from '../transport/b.ts';"],
    ['replication/a.ts', "import { b } from '../session/b.ts';"],
    ['replication/a.ts', "import { b } from '../messages/b.ts';"],
    ['replication/deep/a.ts', "import { b } from '../../game/b.ts';"],
    ['messages/a.ts', "import { b } from '../replication/b.ts';"],
    ['game/a.ts', "import { b } from '../transport/b.ts';"],
    ['session/a.ts', "import { b } from '../udp/index.ts';"],
    ['udp/a.ts', "import { b } from '../game/b.ts';"],
    ['udp/a.ts', "import { b } from '../index.ts';"],
    ['wire/a.ts', "import { b } from '../sodium/b.ts';"],
    ['session/a.ts', "import type { B } from '../sodium/b.ts';"],
    ['sodium/a.ts', "import { b } from '../session/b.ts';"],
    ['sodium/a.ts', "import { b } from '../udp/index.ts';"],
    ['token/a.ts', "import { b } from '../udp/index.ts';"],
    ['token/a.ts', "import { b } from '../transport/b.ts';"],
    ['session/a.ts', "import { b } from '../token/b.ts';"],
    ['udp/a.ts', "import { b } from '../token/b.ts';"],
    ['index.ts', "export { b } from './udp/index.ts';"],
    ['index.ts', "export { b } from './sodium/index.ts';"],
    ['index.ts', "export { b } from './token/index.ts';"],
    ['other.ts', "export { b } from './wire/b.ts';"],
  ])('layers: %s %s', (path, text) => {
    expect(checkLayers([file(`protocol/src/${path}`, text)])).toHaveLength(1);
  });

  it.each([
    ['session/a.ts', "import '../transport/b.ts'; import '../wire/b.ts'; import './c.ts';"],
    [
      'game/a.ts',
      "import '../replication/b.ts'; import '../messages/b.ts'; import '../wire/b.ts';",
    ],
    ['udp/index.ts', "import '../session/b.ts'; import '../sodium/b.ts'; import 'node:dgram';"],
    ['sodium/a.ts', "import '../wire/b.ts'; import 'libsodium'; import 'node:crypto';"],
    ['token/a.ts', "import '../wire/b.ts'; import '../session/b.ts'; import '../sodium/b.ts';"],
  ])('layers: %s may %s', (path, text) => {
    expect(checkLayers([file(`protocol/src/${path}`, text)])).toEqual([]);
  });

  it.each([
    ['server/src/a.ts', "import '@tickwire/client-node';"],
    ['server/src/index.ts', "import type { Link } from '@tickwire/netsim';"],
    ['server/src/a.ts', "import '@tickwire/protocol/udp';"],
    ['server/src/a.ts', "import '@tickwire/server';"],
    ['server/src/a.ts', "import '../../protocol/src/wire/bits.ts';"],
    ['client-node/src/a.ts', "import '@tickwire/server/core';"],
    ['netsim/src/a.ts', "import '@tickwire/server';"],
    ['netsim/src/a.ts', "import '@tickwire/protocol/udp';"],
    ['protocol/src/wire/a.ts', "import '@tickwire/netsim';"],
    ['protocol/src/wire/a.ts', "import '@tickwire/protocol';"],
    ['protocol/src/wire/a.ts', "import 'left-pad';"],
    ['protocol/src/wire/a.ts', "import 'msgpackr';"],
    ['protocol/src/sodium/a.ts', "import 'libsodium/dist/modules/libsodium.js';"],
    ['server/src/a.ts', "import 'msgpackr/pack';"],
    ['server/src/listen.ts', "import 'libsodium';"],
    ['cli/src/main.ts', "import '@tickwire/server/core';"],
    ['cli/src/main.ts', "import 'undeclared';"],
    ['stranger/src/a.ts', "import '@tickwire/protocol';"],
  ])('packages: %s %s', (path, text) => {
    const everything = ['@tickwire/server', '@tickwire/client-node', '@tickwire/netsim'];
    const declared = [...everything, '@tickwire/protocol', 'libsodium', 'msgpackr', 'left-pad'];
    const known = Object.fromEntries(packages.map((name) => [name, declared]));
    expect(checkPackages([file(path, text)], known)).toHaveLength(1);
  });

  it('packages: a dependency must be declared', () => {
    const shell = file('server/src/listen.ts', "import '@tickwire/protocol/udp';");
    expect(checkPackages([shell], { server: [] })).toHaveLength(1);
    expect(checkPackages([shell], { server: ['@tickwire/protocol'] })).toEqual([]);
  });

  it.each([
    ['protocol/src/wire/a.ts', "import { createSocket } from 'node:dgram';"],
    ['server/src/core.ts', "import type { Socket } from 'node:dgram';"],
    ['client-node/src/core.ts', "type Socket = import('node:dgram').Socket;"],
    ['netsim/src/a.ts', "import(`${'node'}:fs`);"],
    ['protocol/src/wire/a.ts', '/// <reference types="node" />'],
  ])('Node: %s %s', (path, text) => expect(checkNode([file(path, text)])).toHaveLength(1));

  it.each([
    'protocol/src/sodium/module.ts',
    'protocol/src/token/issuer.ts',
    'protocol/src/udp/socket.ts',
    'server/src/listen.ts',
    'client-node/src/connect.ts',
  ])('Node: %s may', (path) => {
    expect(checkNode([file(path, "import 'node:crypto';")])).toEqual([]);
  });

  it.each([
    ['msgpackr', 'messages', 'msgpackr/pack', 'msgpackr'],
    ['libsodium', 'sodium', 'libsodium', 'libsodium/dist/modules-esm/libsodium.mjs'],
  ])('%s: nowhere, twice, elsewhere, by another entry', (name, folder, entry, other) => {
    const complaints = (...files: SourceFile[]) =>
      checkGuests(files).filter((complaint) => complaint.includes(name));
    const one = file(`protocol/src/${folder}/a.ts`, `import '${entry}';`);
    const two = file(`protocol/src/${folder}/b.ts`, `import type { B } from '${entry}';`);
    const elsewhere = file('protocol/src/game/a.ts', one.text);
    expect(complaints(one)).toEqual([]);
    expect(complaints()).toHaveLength(1);
    expect(complaints(one, two)).toHaveLength(1);
    expect(complaints(elsewhere)).toHaveLength(1);
    expect(complaints(one, elsewhere)).toHaveLength(2);
    expect(complaints(file(one.path.slice(9), `import '${other}';`))).toHaveLength(1);
  });

  it.each([
    'const now = Date.now();',
    'const d = new Date();',
    'Math.random();',
    'Math\n  .random();',
    'const { random } = Math;',
    "Math['random']();",
    'setTimeout(step, 1);',
    'const timer = setInterval;',
    'queueMicrotask(step);',
    'let later: Promise<void>;',
    'const step = async () => {};',
    'await step;',
    'const { env } = process;',
    'process.hrtime();',
    '`${console.log(1)}`;',
    'performance.now();',
    "globalThis['setTimeout']();",
  ])('purity: %s', (text) => {
    expect(checkPurity([file('server/src/a.ts', text)])).not.toEqual([]);
    expect(checkPurity([file('server/src/listen.ts', text)])).toEqual([]);
  });

  it.each([
    '// Date, setTimeout, Promise',
    "const name = 'Date';",
    'Math.imul(1, 2); const up = Math.floor(1);',
    'candidate.Date; const updateDate = 1; const process2 = 2;',
  ])('purity: allows %s', (text) => {
    expect(checkPurity([file('server/src/a.ts', text)])).toEqual([]);
  });

  it('cycles: of one, of three, of types', () => {
    const path = 'protocol/src/wire';
    const [a, b, c] = [
      file(`${path}/a.ts`, "import './b.ts';"),
      file(`${path}/b.ts`, "import type { C } from './c.ts';"),
      file(`${path}/c.ts`, "type A = import('./a.ts').A;"),
    ];
    expect(checkCycles([a, b])).toEqual([]);
    expect(checkCycles([a, b, c])).toHaveLength(1);
    expect(checkCycles([file(`${path}/d.ts`, "import './d.ts';")])).toHaveLength(1);
  });

  it('targets: a missing file, a missing extension', () => {
    const there = file('netsim/src/b.ts', '');
    expect(checkTargets([there, file('netsim/src/a.ts', "import './b.ts';")])).toEqual([]);
    expect(checkTargets([there, file('netsim/src/a.ts', "import './b';")])).toHaveLength(1);
    expect(checkTargets([there, file('netsim/src/a.ts', "import './c.ts';")])).toHaveLength(1);
  });

  it('shape: the longest file, one line more, a page that says why, a vague name', () => {
    const longest = file('netsim/src/a.ts', '\n'.repeat(LINES_MAX));
    const longer = file('netsim/src/a.ts', '\n'.repeat(LINES_MAX + 1));
    expect(checkShape([longest], '')).toEqual([]);
    expect(checkShape([longer], '')).toHaveLength(1);
    expect(checkShape([longer], `- ${longer.path}: a table`)).toEqual([]);
    for (const name of ['utils.ts', 'helper.ts', 'common/a.ts', 'types.ts']) {
      expect(checkShape([file(`netsim/src/${name}`, '')], '')).toHaveLength(1);
    }
  });
});

function file(path: string, text: string): SourceFile {
  return { path: `packages/${path}`, text };
}

function sourcesUnder(folder: string): SourceFile[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory())
      return /^(node_modules|dist)$/.test(entry.name) ? [] : sourcesUnder(path);
    return path.endsWith('.ts') ? [{ path, text: readFileSync(join(root, path), 'utf8') }] : [];
  });
}

function dependenciesOf(name: string): string[] {
  const manifest = readFileSync(join(root, 'packages', name, 'package.json'), 'utf8');
  return Object.keys(JSON.parse(manifest).dependencies ?? {});
}

/** Type-checks one program as a pure user would: ES2023 and nothing around it. */
function compile(name: string, text: string): { status: number | null; stdout: string } {
  const folder = join(cacheFolder, name);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }\n');
  writeFileSync(join(folder, 'main.ts'), text);
  const options = {
    extends: join(root, 'tsconfig.base.json'),
    compilerOptions: {
      composite: false,
      noEmit: true,
      customConditions: ['@tickwire/source'],
      rewriteRelativeImportExtensions: false,
      allowImportingTsExtensions: true,
    },
    files: ['main.ts'],
  };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(options));
  const tsc = binOf('typescript', 'tsc');
  const { status, stdout } = spawnSync(process.execPath, [tsc, '-p', folder, '--listFiles'], {
    cwd: root,
    encoding: 'utf8',
  });
  return { status, stdout };
}

/** Splits what tsc printed into the program's files and the complaints. */
function partition(stdout: string): [string[], string[]] {
  const lines = stdout.split('\n').filter((line) => line.trim() !== '');
  const isFile = (line: string) => /^(\/|[A-Z]:)[^(]*\.ts$/.test(line);
  return [lines.filter(isFile), lines.filter((line) => !isFile(line))];
}
