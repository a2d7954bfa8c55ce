// What is said in the chat: the server and its clients share this file.
import { defineMessages, text, uint } from '@tickwire/protocol';

const name = text(80);
export const chat = defineMessages(
  { person: { id: uint(31), name }, say: { name, line: text(800) }, typing: { name } },
  {
    people: { kind: 'reliable-latest', carries: ['person'], key: 'id' },
    hints: { kind: 'unreliable-sequenced', carries: ['typing'], ttlMs: 100 },
  },
);
