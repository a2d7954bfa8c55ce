// stub
import type { ArenaRun } from './arena-run.ts';
import type { DemoOptions } from './demo-options.ts';
export class TerminalView {
  constructor(_run: ArenaRun, _options: DemoOptions) {}
  open(): void {}
  close(): void {}
}
