// Tickwire as its users would have it: `listen` and `connect` with one message, reliable and ordered as messages are.

import { connect } from '@tickwire/client-node';
import { bytes, defineMessages, TAG_BYTES } from '@tickwire/protocol';
import { listen } from '@tickwire/server';
import { SERVER_HOST } from '../peers/loopback.ts';
import type { DeliveryPeer } from './peer.ts';

const FIELD_BYTES_MAX = 200;

const set = defineMessages({ piece: { data: bytes(FIELD_BYTES_MAX) } });

export const tickwire: DeliveryPeer = {
  name: 'tickwire',
  settings: 'one message, all options at their defaults',
  tagBytes: TAG_BYTES,
  missing: () => undefined,
  async listen(received) {
    const server = await listen(set, { host: SERVER_HOST, port: 0 });
    server.onMessage('piece', (_session, { data }) => received(data));
    return { port: server.address.port, close: () => server.close() };
  },
  async connect(port) {
    const client = await connect(set, `udp://${SERVER_HOST}:${port}`);
    return {
      send: (data) => client.send('piece', { data }) === 'queued',
      close: () => client.close(),
    };
  },
};
