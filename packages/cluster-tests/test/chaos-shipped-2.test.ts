/** Every fourth of the shipped scenarios, from number 2 on: see shipped-walk.ts. */
import { walkShipped } from "./shipped-walk.ts";

walkShipped(1, 4);
