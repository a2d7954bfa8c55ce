// The target that does nothing with what it receives: what one raw dgram receive costs.

import { createSocket, type Socket } from 'node:dgram';
import { SERVER_HOST, SERVER_RECEIVE_BUFFER_BYTES } from '../peers/loopback.ts';
import { droppedDatagrams } from './dropped.ts';
import { NOTHING } from './order.ts';
import type { Side } from './side.ts';

/** Listens. */
export function openReceiver(): Promise<Side> {
  const socket = createSocket({ type: 'udp4', recvBufferSize: SERVER_RECEIVE_BUFFER_BYTES });
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.bind(0, SERVER_HOST, () => resolve(receive(socket)));
  });
}

function receive(socket: Socket): Side {
  let hostile = 0;
  socket.on('message', () => {
    hostile++;
  });
  const receiveBufferBytes = socket.getRecvBufferSize();
  const { port } = socket.address();
  return {
    port,
    counts: () => ({ ...NOTHING, hostile, receiveBufferBytes, dropped: droppedDatagrams(port) }),
    start() {},
    open() {},
    close() {},
  };
}
