/** Every fourth of the shipped scenarios, from number 1 on: see shipped-walk.ts. */
import { walkShipped } from "./shipped-walk.ts";

walkShipped(0, 4);
