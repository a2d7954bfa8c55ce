import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AddressTable } from '../../src/udp/address-table.ts';
import { ADDRESS_BYTES_MAX, HOST_BYTES_MAX } from '../../src/wire/machine.ts';

const STRANGERS = 256;

function described(host: string, port: number): number[] {
  const table = new AddressTable();
  const out = new Uint8Array(3 + ADDRESS_BYTES_MAX + 1).fill(0xaa);
  const length = table.describe(table.lookup(host, port), out, 3);
  expect(length).toBeLessThanOrEqual(ADDRESS_BYTES_MAX);
  expect([...out.subarray(0, 3), out[3 + length]]).toEqual([0xaa, 0xaa, 0xaa, 0xaa]);
  return [...out.subarray(3, 3 + length)];
}

describe('strangers', () => {
  test('a number stays good for as many strangers as a batch can bring, and then is somebody else', () => {
    const table = new AddressTable();
    const first = table.lookup('10.0.0.1', 1);
    for (let port = 2; port <= STRANGERS; port++) {
      expect(table.lookup('10.0.0.1', port)).not.toBe(first);
      expect([table.host(first), table.port(first)]).toEqual(['10.0.0.1', 1]);
    }
    expect(table.lookup('10.0.0.2', 7)).toBe(first);
    expect([table.host(first), table.port(first)]).toEqual(['10.0.0.2', 7]);
  });

  test('a hundred thousand of them leave nothing behind', () => {
    const table = new AddressTable();
    let highest = 0;
    for (let i = 0; i < 100_000; i++) {
      const host = `10.${i % 200}.0.1`;
      highest = Math.max(highest, table.lookup(host, 1 + (i % 65_535)));
    }
    expect(highest).toBe(STRANGERS - 1);
    expect(table.size).toBe(0);
  });

  test('releasing one does nothing', () => {
    const table = new AddressTable();
    const stranger = table.lookup('10.0.0.1', 1);
    table.release(stranger);
    expect(table.size).toBe(0);
    expect(table.host(stranger)).toBe('10.0.0.1');
  });

  test('a number that was never given out is nobody', () => {
    const table = new AddressTable();
    expect([table.host(99_999), table.port(99_999)]).toEqual(['', 0]);
  });
});

describe('held addresses', () => {
  test('keep their number, and datagrams from there carry it', () => {
    const table = new AddressTable();
    const held = table.hold(table.lookup('10.0.0.1', 5000));
    expect(held).toBeGreaterThanOrEqual(STRANGERS);
    for (let port = 1; port <= 2 * STRANGERS; port++) table.lookup('10.0.0.9', port);
    expect([table.host(held), table.port(held)]).toEqual(['10.0.0.1', 5000]);
    expect(table.lookup('10.0.0.1', 5000)).toBe(held);
    expect(table.lookup('10.0.0.1', 5001)).toBeLessThan(STRANGERS);
    expect(table.lookup('10.0.0.2', 5000)).toBeLessThan(STRANGERS);
  });

  test('are held as often as they were asked for, by either number', () => {
    const table = new AddressTable();
    const stranger = table.lookup('10.0.0.1', 5000);
    const held = table.hold(stranger);
    expect(table.hold(held)).toBe(held);
    expect(table.hold(stranger)).toBe(held);
    expect(table.size).toBe(1);
    table.release(held);
    table.release(held);
    expect(table.lookup('10.0.0.1', 5000)).toBe(held);
    table.release(held);
    expect(table.lookup('10.0.0.1', 5000)).toBeLessThan(STRANGERS);
    expect(table.size).toBe(0);
  });

  test('a number that is free again goes to the next, and the old address is a stranger', () => {
    const table = new AddressTable();
    const [a, b] = [1, 2].map((port) => table.hold(table.lookup('::1', port))) as [number, number];
    table.release(a);
    expect(table.hold(table.lookup('10.0.0.3', 3))).toBe(a);
    expect([table.host(a), table.port(a), table.port(b)]).toEqual(['10.0.0.3', 3, 2]);
    expect(table.lookup('::1', 1)).toBeLessThan(STRANGERS);
    expect(table.lookup('::1', 2)).toBe(b);
    expect(table.size).toBe(2);
  });

  test('come and go without the table growing', () => {
    const table = new AddressTable();
    let highest = 0;
    for (let round = 0; round < 1000; round++) {
      const held = [1, 2, 3].map((i) => table.hold(table.lookup(`10.0.${round % 256}.${i}`, i)));
      highest = Math.max(highest, ...held);
      for (const address of held) table.release(address);
    }
    expect(highest).toBe(STRANGERS + 2);
    expect(table.size).toBe(0);
  });

  test('any course of looking up, holding and releasing agrees with a plain map', () => {
    const host = fc.constantFrom('10.0.0.1', '10.0.0.2', '::1');
    const step = fc.record({ host, port: fc.integer({ min: 1, max: 3 }), hold: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const table = new AddressTable();
        const holders = new Map<string, { number: number; count: number }>();
        for (const { host, port, hold } of steps) {
          const key = `${host} ${port}`;
          const known = holders.get(key);
          const number = table.lookup(host, port);
          expect([table.host(number), table.port(number)]).toEqual([host, port]);
          if (known === undefined) expect(number).toBeLessThan(STRANGERS);
          else expect(number).toBe(known.number);
          if (hold) {
            holders.set(key, { number: table.hold(number), count: (known?.count ?? 0) + 1 });
          } else if (known !== undefined) {
            table.release(known.number);
            if (--known.count === 0) holders.delete(key);
          }
          expect(table.size).toBe(holders.size);
        }
        const numbers = [...holders.values()].map((holder) => holder.number);
        expect(new Set(numbers).size).toBe(numbers.length);
      }),
    );
  });
});

describe('describe', () => {
  test('IPv4: family, four bytes, the port with its high byte first', () => {
    expect(described('192.168.0.255', 0x1f90)).toEqual([4, 192, 168, 0, 255, 0x1f, 0x90]);
    expect(described('0.0.0.0', 65_535)).toEqual([4, 0, 0, 0, 0, 0xff, 0xff]);
  });

  const groups = (...words: number[]) => words.flatMap((word) => [word >>> 8, word & 0xff]);

  test.each([
    ['::', [0, 0, 0, 0, 0, 0, 0, 0]],
    ['::1', [0, 0, 0, 0, 0, 0, 0, 1]],
    ['1::', [1, 0, 0, 0, 0, 0, 0, 0]],
    ['2001:db8::8:1', [0x2001, 0xdb8, 0, 0, 0, 0, 8, 1]],
    ['1:2:3:4:5:6:7:8', [1, 2, 3, 4, 5, 6, 7, 8]],
    ['fe80::a:ffff%eth0', [0xfe80, 0, 0, 0, 0, 0, 0xa, 0xffff]],
    ['::ffff:10.0.200.7', [0, 0, 0, 0, 0, 0xffff, 0x0a00, 0xc807]],
  ])('IPv6: %s', (host, words) => {
    expect(described(host, 258)).toEqual([6, ...groups(...words), 1, 2]);
  });

  test('every IPv6 address comes out as it went in, however it is written', () => {
    fc.assert(
      fc.property(fc.ipV6(), fc.nat(65_535), (host, port) => {
        const bytes = described(host, port);
        expect(bytes).toHaveLength(ADDRESS_BYTES_MAX);
        // The WHATWG parser knows all forms.
        const plain = new URL(`http://[${host}]`).hostname.slice(1, -1);
        expect(bytes).toEqual(described(plain, port));
      }),
    );
  });

  test('a held number is described as the stranger was: cookies of both agree', () => {
    const table = new AddressTable();
    const stranger = table.lookup('10.0.0.1', 5000);
    const held = table.hold(stranger);
    const [a, b] = [new Uint8Array(ADDRESS_BYTES_MAX), new Uint8Array(ADDRESS_BYTES_MAX)];
    expect(table.describe(stranger, a, 0)).toBe(table.describe(held, b, 0));
    expect(a).toEqual(b);
  });
});

describe('describeHost', () => {
  function counted(host: string, port = 1): number[] {
    const table = new AddressTable();
    const out = new Uint8Array(3 + HOST_BYTES_MAX + 1).fill(0xaa);
    const length = table.describeHost(table.lookup(host, port), out, 3);
    expect(length).toBeLessThanOrEqual(HOST_BYTES_MAX);
    expect([...out.subarray(0, 3), out[3 + length]]).toEqual([0xaa, 0xaa, 0xaa, 0xaa]);
    return [...out.subarray(3, 3 + length)];
  }

  test('IPv4: family and all of it, whatever the port', () => {
    expect(counted('192.168.0.255', 1)).toEqual([4, 192, 168, 0, 255]);
    expect(counted('192.168.0.255', 2)).toEqual(counted('192.168.0.255', 1));
    expect(counted('192.168.0.254')).not.toEqual(counted('192.168.0.255'));
  });

  test('IPv6: family and the first half', () => {
    expect(counted('2001:db8:1:2:3:4:5:6')).toEqual([6, 0x20, 1, 0x0d, 0xb8, 0, 1, 0, 2]);
    expect(counted('2001:db8:1:2::9%eth0', 9)).toEqual(counted('2001:db8:1:2:3:4:5:6'));
    expect(counted('2001:db8:1:3::9')).not.toEqual(counted('2001:db8:1:2::9'));
  });

  test.each(['::ffff:10.0.200.7', '::ffff:a00:c807', '0:0:0:0:0:ffff:10.0.200.7'])(
    'IPv4 mapped into IPv6 is IPv4: %s',
    (host) => expect(counted(host)).toEqual([4, 10, 0, 200, 7]),
  );

  test.each(['::10.0.200.7', '::fffe:10.0.200.7', '1::ffff:10.0.200.7', '64:ff9b::10.0.200.7'])(
    'what only looks like it is IPv6: %s',
    (host) => {
      expect(counted(host)).toHaveLength(HOST_BYTES_MAX);
      expect(counted(host)[0]).toBe(6);
    },
  );

  test('any IPv6 address: the first half of its description, and no trace of the one before', () => {
    fc.assert(
      fc.property(fc.ipV6(), fc.ipV4(), (host, four) => {
        counted(four);
        const whole = described(host, 1);
        const mapped = whole.slice(1, 13).join() === '0,0,0,0,0,0,0,0,0,0,255,255';
        expect(counted(host)).toEqual(mapped ? [4, ...whole.slice(13, 17)] : whole.slice(0, 9));
        expect(counted(four)).toEqual(described(four, 1).slice(0, 5));
      }),
    );
  });
});
