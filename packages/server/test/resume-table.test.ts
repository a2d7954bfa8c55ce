import { TickwireError } from '@tickwire/protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ResumeTable } from '../src/resume-table.ts';

/** Keys that follow from a number. */
function keys(n: number) {
  const id = new Uint8Array(16);
  const secret = new Uint8Array(32);
  new DataView(id.buffer).setUint32(6, n);
  new DataView(secret.buffer).setUint32(11, n + 1);
  return { id, secret };
}

const table = (options: { resumeMs?: number; maxAway?: number } = {}) =>
  new ResumeTable<string>({ maxAway: 4, ...options }, () => true);

/** Everybody whose time is over. */
function expired(of: ResumeTable<string>, nowMs: number): string[] {
  const found: string[] = [];
  of.expire(nowMs, (holder) => found.push(holder));
  return found;
}

describe('ResumeTable', () => {
  it('finds a session by its id, and by its number', () => {
    const seats = table();
    seats.issue('ann', keys(1));
    seats.issue('bob', keys(2));
    const found = seats.find(keys(2).id)!;
    expect(found.secret).toEqual(keys(2).secret);
    expect(seats.holder(found.session)).toBe('bob');
    expect(seats.find(keys(3).id)).toBeUndefined();
    expect(seats.find(keys(2).id.subarray(0, 15))).toBeUndefined();
    expect(seats.holder(0)).toBeUndefined();
    expect(seats.size).toBe(2);
  });

  it('keeps a copy of the secret', () => {
    const seats = table();
    const given = keys(1);
    seats.issue('ann', given);
    given.secret.fill(0);
    expect(seats.find(given.id)?.secret).toEqual(keys(1).secret);
  });

  it('knows only the newest keys of a session', () => {
    const seats = table();
    seats.issue('ann', keys(1));
    const before = seats.find(keys(1).id)!.session;
    seats.issue('ann', keys(2));
    expect(seats.find(keys(1).id)).toBeUndefined();
    expect(seats.holder(before)).toBeUndefined();
    expect(seats.holder(seats.find(keys(2).id)!.session)).toBe('ann');
    expect(seats.size).toBe(1);
  });

  it('knows nothing of a session that was revoked', () => {
    const seats = table();
    seats.issue('ann', keys(1));
    const { session } = seats.find(keys(1).id)!;
    seats.leave('ann', 0);
    seats.revoke('ann');
    seats.revoke('ann');
    expect(seats.find(keys(1).id)).toBeUndefined();
    expect(seats.holder(session)).toBeUndefined();
    expect(seats.isAway('ann')).toBe(false);
    expect([seats.size, seats.nextEndMs]).toEqual([0, Number.POSITIVE_INFINITY]);
  });

  it('waits for resumeMs, and not a moment longer', () => {
    const seats = table({ resumeMs: 1000 });
    seats.issue('ann', keys(1));
    seats.issue('bob', keys(2));
    seats.leave('ann', 500);
    seats.leave('bob', 600);
    expect([...seats.away]).toEqual(['ann', 'bob']);
    expect(seats.nextEndMs).toBe(1500);
    expect(expired(seats, 1499.9)).toEqual([]);
    expect(expired(seats, 1500)).toEqual(['ann']);
    expect(seats.find(keys(1).id)).toBeUndefined();
    expect(seats.find(keys(2).id)).toBeDefined();
    seats.return('bob');
    expect(expired(seats, 9999)).toEqual([]);
    expect(seats.away.size).toBe(0);
  });

  it('lets a session outlive a lost connection and a replaced one, and nothing else', () => {
    const seats = table();
    expect(seats.outlives('ann', 'timeout')).toBe(false);
    seats.issue('ann', keys(1));
    expect(seats.outlives('ann', 'timeout')).toBe(true);
    expect(seats.outlives('ann', 'replaced')).toBe(true);
    for (const reason of ['closed', 'kicked', 'shutdown', 'error', 'overflow'] as const) {
      expect(seats.outlives('ann', reason), reason).toBe(false);
    }
  });

  it('lets as many be away as may be, and evicts nobody for one more', () => {
    const seats = table({ maxAway: 2 });
    for (const [n, holder] of ['ann', 'bob', 'carl'].entries()) seats.issue(holder, keys(n));
    seats.leave('ann', 0);
    expect(seats.outlives('bob', 'timeout')).toBe(true);
    seats.leave('bob', 0);
    expect(seats.outlives('carl', 'timeout')).toBe(false);
    expect(seats.outlives('carl', 'replaced')).toBe(true);
    expect([...seats.away]).toEqual(['ann', 'bob']);
  });

  it('is off with a resumeMs of 0', () => {
    const seats = table({ resumeMs: 0 });
    seats.issue('ann', keys(1));
    expect(seats.find(keys(1).id)).toBeUndefined();
    expect(seats.outlives('ann', 'timeout')).toBe(false);
  });

  it.each([
    [{ resumeMs: -1 }, 'resumeMs is -1'],
    [{ resumeMs: Number.NaN }, 'resumeMs is NaN'],
    [{ resumeMs: 3_600_001 }, 'resumeMs is 3600001'],
    [{ maxAway: -1 }, 'maxAway is -1'],
    [{ maxAway: 0.5 }, 'maxAway is 0.5'],
    [{ maxAway: 65_536 }, 'maxAway is 65536'],
  ])('refuses %j', (options, message) => {
    expect(() => table(options)).toThrow(TickwireError);
    expect(() => table(options)).toThrow(message);
  });

  it('takes options at their bounds', () => {
    expect(() => table({ resumeMs: 3_600_000, maxAway: 65_535 })).not.toThrow();
    expect(() => table({ resumeMs: 0, maxAway: 0 })).not.toThrow();
  });

  describe('with a client that has come with a secret and may know nothing newer', () => {
    /** Ann has come with keys 1, and was given keys 2. */
    function returned() {
      const heard = new Set<string>();
      const seats = new ResumeTable<string>({ maxAway: 4 }, (holder) => heard.has(holder));
      seats.issue('ann', keys(1));
      const { session: resumes } = seats.find(keys(1).id)!;
      seats.issue('ann', keys(2), { resumes });
      return { seats, heard, resumes };
    }

    it('knows both, by id and by number, until it is asked after the client was confirmed', () => {
      const { seats, heard, resumes } = returned();
      expect(seats.find(keys(1).id)?.session).toBe(resumes);
      expect([seats.holder(resumes), seats.size]).toEqual(['ann', 1]);
      heard.add('ann');
      expect(seats.holder(resumes)).toBeUndefined();
      expect(seats.find(keys(1).id)).toBeUndefined();
      // It stays void, whatever is heard of the next connection.
      heard.clear();
      expect(seats.find(keys(1).id)).toBeUndefined();
      expect(seats.holder(seats.find(keys(2).id)!.session)).toBe('ann');
    });

    it('asks for the last time when the connection is lost', () => {
      for (const confirmed of [false, true]) {
        const { seats, heard } = returned();
        if (confirmed) heard.add('ann');
        seats.leave('ann', 0);
        heard.clear();
        expect(seats.find(keys(1).id) === undefined).toBe(confirmed);
        expect(seats.find(keys(2).id)).toBeDefined();
      }
    });

    it('keeps the one that was used, and only that', () => {
      for (const used of [1, 2]) {
        const { seats } = returned();
        seats.issue('ann', keys(3), { resumes: seats.find(keys(used).id)!.session });
        expect(seats.find(keys(3 - used).id)).toBeUndefined();
        expect([seats.find(keys(used).id), seats.find(keys(3).id)]).not.toContain(undefined);
      }
    });

    it('knows neither once the session was revoked', () => {
      const { seats, resumes } = returned();
      seats.revoke('ann');
      expect([seats.find(keys(1).id), seats.find(keys(2).id)]).toEqual([undefined, undefined]);
      expect([seats.holder(resumes), seats.size]).toEqual([undefined, 0]);
    });
  });

  it("keeps the timeout of the session's token", () => {
    const seats = table();
    seats.issue('ann', keys(1), { timeoutMs: 1500 });
    seats.issue('bob', keys(2));
    expect(seats.find(keys(1).id)!.timeoutMs).toBe(1500);
    expect(seats.find(keys(2).id)!.timeoutMs).toBeUndefined();
  });

  it('says the same as a list of secrets, whatever happens', () => {
    const holder = fc.constantFrom('ann', 'bob', 'carl', 'dora');
    const step = fc.record({
      holder,
      what: fc.constantFrom('issue', 'again', 'confirm', 'leave', 'return', 'revoke', 'wait'),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const heard = new Set<string>();
        const options = { resumeMs: 10, maxAway: 4 };
        const seats = new ResumeTable<string>(options, (who) => heard.has(who));
        const model = new Map<string, { n: number; former?: number; untilMs: number }>();
        const issued = new Map<number, number>();
        for (const [nowMs, { holder, what }] of steps.entries()) {
          const known = model.get(holder);
          if (what === 'issue' || (what === 'again' && known !== undefined)) {
            // With the former ones at times, with the newest else.
            const former = nowMs % 3 === 0 ? (known?.former ?? known?.n) : known?.n;
            const resumes = what === 'again' ? issued.get(former!)! : 0;
            seats.issue(holder, keys(nowMs), { resumes });
            heard.delete(holder);
            issued.set(nowMs, seats.find(keys(nowMs).id)!.session);
            const untilMs = known?.untilMs ?? Number.POSITIVE_INFINITY;
            const before = what === 'again' ? { former: former! } : {};
            model.set(holder, { n: nowMs, ...before, untilMs });
          } else if (what === 'confirm' && known?.untilMs === Number.POSITIVE_INFINITY) {
            heard.add(holder);
            delete known.former;
          } else if (what === 'revoke') {
            seats.revoke(holder);
            model.delete(holder);
          } else if (what === 'leave' && known?.untilMs === Number.POSITIVE_INFINITY) {
            seats.leave(holder, nowMs);
            known.untilMs = nowMs + 10;
          } else if (what === 'return' && known !== undefined) {
            seats.return(holder);
            known.untilMs = Number.POSITIVE_INFINITY;
          } else if (what === 'wait') {
            const over = [...model].filter(([, one]) => nowMs >= one.untilMs).map(([who]) => who);
            expect(expired(seats, nowMs).sort()).toEqual(over.sort());
            for (const who of over) model.delete(who);
          }
          for (const [n, ticket] of issued) {
            const who = [...model].find(([, one]) => one.n === n || one.former === n)?.[0];
            expect(seats.holder(ticket)).toBe(who);
            expect(seats.find(keys(n).id)?.session).toBe(who === undefined ? undefined : ticket);
          }
          expect(seats.size).toBe(model.size);
        }
      }),
    );
  });
});
