/** A cluster of containers: clients come by a fixed port of the host each, members meet on a network of their own that can be taken away. */

import { freePorts } from "@flotilla/server/internal";
import { GenericContainer, getContainerRuntimeClient, Network, type StartedNetwork, type StartedTestContainer, Wait } from "testcontainers";

/** Reached only by a container that would never start, on a machine as busy as may be. */
const START_MS = 180_000;

type Docker = Awaited<ReturnType<typeof getContainerRuntimeClient>>["container"]["dockerode"];

export class ContainerMember {
	readonly name: string;
	readonly endpoint: string;
	container: StartedTestContainer;
	private readonly docker: Docker;
	private readonly network: StartedNetwork;

	constructor(name: string, endpoint: string, container: StartedTestContainer, docker: Docker, network: StartedNetwork) {
		this.name = name;
		this.endpoint = endpoint;
		this.container = container;
		this.docker = docker;
		this.network = network;
	}

	/** Off the members' network; clients still reach it. */
	async cutOff(): Promise<void> {
		await this.docker.getNetwork(this.network.getId()).disconnect({ Container: this.container.getId(), Force: true });
	}

	async connect(): Promise<void> {
		await this.docker
			.getNetwork(this.network.getId())
			.connect({ Container: this.container.getId(), EndpointConfig: { Aliases: [this.name] } });
	}

	async pause(): Promise<void> {
		await this.docker.getContainer(this.container.getId()).pause();
	}

	async resume(): Promise<void> {
		await this.docker.getContainer(this.container.getId()).unpause();
	}

	async kill(): Promise<void> {
		await this.docker.getContainer(this.container.getId()).kill();
	}

	async start(): Promise<void> {
		await this.docker.getContainer(this.container.getId()).start();
	}

	/** With all that it wrote. */
	async destroy(): Promise<void> {
		await this.container.stop({ remove: true, removeVolumes: true, timeout: 0 });
	}
}

/** On a second network before it starts: a member that joins asks the others with its first breath. */
class NetworkedContainer extends GenericContainer {
	private readonly created: (id: string) => Promise<void>;

	constructor(image: string, created: (id: string) => Promise<void>) {
		super(image);
		this.created = created;
	}

	protected override containerCreated(id: string): Promise<void> {
		return this.created(id);
	}
}

export class ContainerCluster implements AsyncDisposable {
	readonly members: ContainerMember[] = [];
	private readonly image: string;
	private readonly docker: Docker;
	private readonly network: StartedNetwork;

	private constructor(image: string, docker: Docker, network: StartedNetwork) {
		this.image = image;
		this.docker = docker;
		this.network = network;
	}

	static async start(image: string, size: number): Promise<ContainerCluster> {
		const { container } = await getContainerRuntimeClient();
		const cluster = new ContainerCluster(image, container.dockerode, await new Network().start());
		try {
			const names = Array.from({ length: size }, (_, at) => `m${at + 1}`);
			const all = names.map((name) => `${name}=http://${name}:2380`).join(",");
			const members = await Promise.all(names.map((name) => cluster.make(name, all, "new")));
			cluster.members.push(...members);
		} catch (error) {
			await cluster[Symbol.asyncDispose]();
			throw error;
		}
		return cluster;
	}

	get endpoints(): string[] {
		return this.members.map(({ endpoint }) => endpoint);
	}

	/** Starts a container and joins it to the members' network; it serves once it has met a quorum. */
	async make(name: string, initialCluster: string, state: "new" | "existing"): Promise<ContainerMember> {
		const [port] = await freePorts(1);
		const endpoint = `127.0.0.1:${port}`;
		const container = await new NetworkedContainer(this.image, (id) => this.connect(id, name))
			.withExposedPorts({ container: 2379, host: port as number })
			.withCommand([
				...["--name", name, "--data-dir", "/var/lib/flotilla"],
				...["--listen-client-urls", "http://0.0.0.0:2379", "--advertise-client-urls", `http://${endpoint}`],
				...["--listen-peer-urls", "http://0.0.0.0:2380", "--initial-advertise-peer-urls", `http://${name}:2380`],
				...["--initial-cluster", initialCluster, "--initial-cluster-state", state, "--initial-cluster-token", "containers"],
			])
			.withWaitStrategy(Wait.forLogMessage(/starting an etcd server/))
			.withStartupTimeout(START_MS)
			.start();
		return new ContainerMember(name, endpoint, container, this.docker, this.network);
	}

	private async connect(id: string, name: string): Promise<void> {
		await this.docker.getNetwork(this.network.getId()).connect({ Container: id, EndpointConfig: { Aliases: [name] } });
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await Promise.all(this.members.map((member) => member.destroy()));
		await this.network.stop();
	}
}
