// Two cores that this process may use and that share no silicon, for a server and its load.

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** Linux has it; elsewhere nothing is pinned. */
export const PIN_COMMAND = 'taskset';

/** Where the two processes run. */
export interface Cores {
  readonly server: number;
  readonly generator: number;
}

/** The cores to pin to; a string says why there is no pinning here. */
export function chooseCores(): Cores | string {
  const allowed = allowedCores();
  if (spawnSync(PIN_COMMAND, ['--version']).status !== 0) return `${PIN_COMMAND} is not there`;
  const [server] = allowed;
  if (server === undefined || allowed.length < 2) return 'fewer than two cores';
  const siblings = siblingsOf(server);
  const generator = allowed.find((core) => !siblings.includes(core)) ?? allowed.at(-1)!;
  return { server, generator };
}

function allowedCores(): number[] {
  const status = read('/proc/self/status');
  return parseList(/^Cpus_allowed_list:\s*(.*)$/m.exec(status)?.[1] ?? '');
}

/** The threads of one core, itself included. */
function siblingsOf(core: number): number[] {
  return [
    core,
    ...parseList(read(`/sys/devices/system/cpu/cpu${core}/topology/thread_siblings_list`)),
  ];
}

/** Reads '0-2,5' as 0, 1, 2, 5. */
function parseList(list: string): number[] {
  return list
    .trim()
    .split(',')
    .filter((part) => part !== '')
    .flatMap((part) => {
      const [first, last] = part.split('-').map(Number) as [number, number | undefined];
      return Array.from({ length: (last ?? first) - first + 1 }, (_, i) => first + i);
    });
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
