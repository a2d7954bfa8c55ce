import { defineConfig } from 'vitest/config';

// Tests run on the sources: no build is needed, and a failure points at the line that was written.
const conditions = ['@tickwire/source'];

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: ['packages/*/test/**/*.test.ts', 'examples/*/test/**/*.test.ts', 'tests/**/*.test.ts'],
    pool: 'forks',
    // The soak asks for a collection before it measures memory.
    execArgv: ['--expose-gc'],
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
