using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using KeycloakCreditBridge.Sandbox.Processes;
using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;

namespace KeycloakCreditBridge.Sandbox.Brokers;

/// <summary>
/// Debian's RabbitMQ with a virtual host, users with the permissions that docs/rabbitmq.md gives, and one that lacks them.
/// </summary>
internal sealed class RabbitServer : IAsyncDisposable
{
    public const string VirtualHost = "keycloak";
    public const string User = "credit-bridge";
    public const string UserWithoutPermission = "visitor";
    public const string UserWhoReads = "reader";
    public const string Password = "secret";

    private const string Program = "/usr/lib/rabbitmq/bin/rabbitmq-server";
    private const string Names = "/usr/bin/epmd";

    private static readonly TimeSpan StartTimeout = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan EndTimeout = TimeSpan.FromSeconds(30);

    private readonly InstanceFolder _folder = InstanceFolder.Claim(Path.GetTempPath(), "rabbit");
    private readonly int _port = FreePort.Next();
    private readonly int _names = FreePort.Next();
    private readonly int _nodes = FreePort.Next();
    private GuardedProcess? _namesProcess;
    private GuardedProcess? _process;

    private RabbitServer()
    {
    }

    public string Url => $"amqp://127.0.0.1:{_port}/{VirtualHost}";

    public static bool IsInstalled => File.Exists(Program) && File.Exists(Names);

    /// <summary>Starts it and returns when it answers.</summary>
    /// <exception cref="TimeoutException">It did not answer in time; its last lines are in the message.</exception>
    public static async Task<RabbitServer> StartAsync(CancellationToken token)
    {
        var server = new RabbitServer();
        await server.WriteSettingsAsync(token);
        server._namesProcess = GuardedProcess.Start(
            [Names, "-address", "127.0.0.1", "-port", $"{server._names}"], server.PathOf("epmd.log"), [],
            new Dictionary<string, string>());
        await server.StartAgainAsync(token);
        return server;
    }

    /// <summary>Settings of a bridge that takes its events from here.</summary>
    /// <param name="queue">A queue of its own.</param>
    public (string Key, string? Value)[] Settings(string queue) =>
    [
        ("Intake:Broker:Url", Url), ("Intake:Broker:UserName", User), ("Intake:Broker:Password", Password), ("Intake:Broker:Queue", queue),
    ];

    public async Task StartAgainAsync(CancellationToken token)
    {
        _process = GuardedProcess.Start([Program], PathOf("server.log"), [], new Dictionary<string, string>
        {
            ["HOME"] = _folder.Path, ["RABBITMQ_NODENAME"] = $"test{_port}@localhost", ["RABBITMQ_DIST_PORT"] = $"{_nodes}",
            ["RABBITMQ_MNESIA_BASE"] = PathOf("data"), ["RABBITMQ_LOG_BASE"] = PathOf("log"),
            ["RABBITMQ_ENABLED_PLUGINS_FILE"] = PathOf("plugins"), ["RABBITMQ_CONFIG_FILE"] = PathOf("rabbitmq.conf"),
            ["RABBITMQ_CONF_ENV_FILE"] = "/dev/null", ["ERL_EPMD_PORT"] = $"{_names}", ["ERL_EPMD_ADDRESS"] = "127.0.0.1",
            // The process that is started is then the server itself, and no script beside it.
            ["RUNNING_UNDER_SYSTEMD"] = "true",
            ["RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS"] = "+S 1:1 +sbwt none",
        });
        var started = Stopwatch.GetTimestamp();
        while (!await AnswersAsync(token))
        {
            if (_process.HasExited || Stopwatch.GetElapsedTime(started) > StartTimeout)
                throw new TimeoutException($"RabbitMQ does not answer: {_process.LastLines()}");
            await Task.Delay(Interval, token);
        }
    }

    /// <summary>Ends it in order: it closes all connections and keeps its queues.</summary>
    public Task StopAsync() => _process!.EndAsync("TERM", EndTimeout);

    /// <summary>A connection that may do everything.</summary>
    public Task<IConnection> ConnectAsync(CancellationToken token) => new ConnectionFactory
    {
        Uri = new Uri(Url), UserName = "admin", Password = Password, AutomaticRecoveryEnabled = false,
    }.CreateConnectionAsync(token);

    /// <summary>Publishes messages that are not persistent, as the plugins do, by a connection of their own.</summary>
    public async Task PublishAsync(IReadOnlyList<(string Key, byte[] Body)> messages, CancellationToken token)
    {
        await using var connection = await ConnectAsync(token);
        await using var channel = await connection.CreateChannelAsync(
            new CreateChannelOptions(publisherConfirmationsEnabled: true, publisherConfirmationTrackingEnabled: true), token);
        foreach (var part in messages.Chunk(200))
        {
            await Task.WhenAll(part.Select(message => channel.BasicPublishAsync(
                "amq.topic", message.Key, mandatory: false,
                new BasicProperties { ContentType = "application/json", ContentEncoding = "UTF-8", AppId = "Keycloak" }, message.Body,
                token).AsTask()));
        }
    }

    /// <summary>How many messages a queue holds; null where it is missing.</summary>
    public async Task<uint?> WaitingAsync(string queue, CancellationToken token)
    {
        await using var connection = await ConnectAsync(token);
        await using var channel = await connection.CreateChannelAsync(cancellationToken: token);
        try
        {
            return (await channel.QueueDeclarePassiveAsync(queue, token)).MessageCount;
        }
        catch (OperationInterruptedException)
        {
            return null;
        }
    }

    public async Task DeleteQueueAsync(string queue, CancellationToken token)
    {
        await using var connection = await ConnectAsync(token);
        await using var channel = await connection.CreateChannelAsync(cancellationToken: token);
        await channel.QueueDeleteAsync(queue, false, false, cancellationToken: token);
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is not null)
            await _process.DisposeAsync();
        if (_namesProcess is not null)
            await _namesProcess.DisposeAsync();
        _folder.Dispose();
    }

    private string PathOf(string name) => Path.Combine(_folder.Path, name);

    private async Task WriteSettingsAsync(CancellationToken token)
    {
        var definitions = new JsonObject
        {
            ["users"] = new JsonArray(UserNamed("admin"), UserNamed(User), UserNamed(UserWithoutPermission), UserNamed(UserWhoReads)),
            ["vhosts"] = new JsonArray(new JsonObject { ["name"] = VirtualHost }),
            ["permissions"] = new JsonArray(
                Permission("admin", ".*", ".*", ".*"),
                Permission(User, @"^credit-bridge\.", @"^credit-bridge\.", @"^(credit-bridge\.|amq\.topic$|missing$)"),
                Permission(UserWithoutPermission, "", "", ""),
                Permission(UserWhoReads, "", "", @"^credit-bridge\.")),
        };
        await File.WriteAllTextAsync(PathOf("definitions.json"), definitions.ToJsonString(), token);
        await File.WriteAllTextAsync(PathOf("plugins"), "", token);
        await File.WriteAllTextAsync(
            PathOf("rabbitmq.conf"),
            string.Create(
                CultureInfo.InvariantCulture,
                $"""
                listeners.tcp.1 = 127.0.0.1:{_port}
                load_definitions = {PathOf("definitions.json")}

                """),
            token);
    }

    private static JsonObject UserNamed(string name)
    {
        byte[] salt = [1, 2, 3, 4];
        var hash = SHA256.HashData([.. salt, .. Encoding.UTF8.GetBytes(Password)]);
        return new JsonObject
        {
            ["name"] = name, ["password_hash"] = Convert.ToBase64String([.. salt, .. hash]),
            ["hashing_algorithm"] = "rabbit_password_hashing_sha256", ["tags"] = new JsonArray(),
        };
    }

    private static JsonObject Permission(string user, string configure, string write, string read) => new()
    {
        ["user"] = user, ["vhost"] = VirtualHost, ["configure"] = configure, ["write"] = write, ["read"] = read,
    };

    private async Task<bool> AnswersAsync(CancellationToken token)
    {
        try
        {
            await using var connection = await ConnectAsync(token);
            return true;
        }
        catch (Exception exception) when (exception is BrokerUnreachableException or SocketException)
        {
            return false;
        }
    }
}
