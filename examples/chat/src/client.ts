import { createInterface } from 'node:readline';
import { connect } from '@tickwire/client-node';
import { chat } from './chat.ts';

const [name = 'guest', url = 'udp://127.0.0.1:7777'] = process.argv.slice(2);
const client = await connect(chat, url);
const people = new Map<number, string>();
const terminal = createInterface({ input: process.stdin, output: process.stdout, terminal: true });
const show = (text: string) => process.stdout.write(`\r\x1b[K${text}> ${terminal.line}`);
client.onMessage('person', (person) => {
  people.set(person.id, person.name);
  show(`* ${person.name} is here\n`);
});
client.onForget('person', (id) => show(`* ${people.get(id)} has left\n`));
client.onMessage('say', (said) => show(`${said.name}: ${said.line}\n`));
client.onMessage('typing', (hint) => show(`(${hint.name} is typing) `));
client.onEnd((reason, text) => {
  process.stdout.write(`\r\x1b[K${`${reason} ${text}`.trimEnd()}\n`);
  terminal.close();
});
terminal.on('line', (line) => client.send('say', { name, line: [...line].slice(0, 200).join('') }));
terminal.on('close', () => client.close());
process.stdin.on('keypress', (key) => key >= ' ' && client.send('typing', { name }));
client.send('person', { id: 0, name });
