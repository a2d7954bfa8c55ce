import { listen } from '@tickwire/server';
import { chat } from './chat.ts';

const server = await listen(chat, { port: Number(process.argv[2] ?? 7777) }).catch((error) => {
  console.error(`${error.message}\nusage: npm run chat:server -- [PORT]`);
  process.exit(2);
});
const names = new Map<number, string>();
const nameOf = (id: number) => names.get(id) ?? 'somebody';
server.onSession((session) => {
  for (const [id, name] of names) session.send('person', { id, name });
});
server.onMessage('person', ({ id }, { name }) => {
  names.set(id, name);
  server.broadcast('person', { id, name });
});
server.onMessage('say', ({ id }, { line }) => server.broadcast('say', { name: nameOf(id), line }));
server.onMessage('typing', (session, hint) => server.broadcast('typing', hint, session));
server.onEnd(({ id }) => {
  names.delete(id);
  for (const session of server.sessions) session.forget('person', id);
});
process.once('SIGINT', () => server.close({ reason: 'the chat is over' }));
console.log(`listening on port ${server.address.port}`);
