using System.Globalization;
using System.Net;
using System.Net.Sockets;
using KeycloakCreditBridge.Sandbox.Keycloak;

namespace KeycloakCreditBridge.Sandbox.Emulator;

/// <summary>
/// A Keycloak in this process, in memory, on a free port of 127.0.0.1: as much of the real one as the bridge, its tests and the
/// sandbox use. It can be told to misbehave, counts its requests, and can make happen what no REST call of Keycloak does.
/// </summary>
internal sealed class EmulatedKeycloak : IKeycloakServer
{
    /// <summary>Bound before the server starts, as its address is part of what it answers.</summary>
    private readonly Socket socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);

    private readonly WebApplication app;
    private readonly RealmRegistry realms;
    private readonly EmulatorClock clock;
    private readonly AccessTokens tokens;
    private readonly WebhookSender webhooks;
    private readonly Journal journal;
    private readonly ServerModel model;
    private bool isDisposed;

    private EmulatedKeycloak(EmulatorOptions options)
    {
        (model, SendsWebhooks) = (options.Model, options.SendsWebhooks);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        Url = new Uri($"http://{socket.LocalEndPoint}/");
        app = Build(socket);
        clock = new EmulatorClock(options.Clock ?? TimeProvider.System, Misbehaviour);
        realms = new RealmRegistry(clock, model, Url, AdminUser, AdminPassword);
        tokens = new AccessTokens(realms, clock, Url);
        webhooks = new WebhookSender(clock);
        journal = new Journal(clock, Misbehaviour, webhooks);
        Map();
    }

    public Uri Url { get; }

    public string AdminUser => "admin";

    public string AdminPassword => "admin";

    public bool SendsWebhooks { get; }

    public string Description => $"emulator of Keycloak {model.ToString()[1..].Replace('_', '.')} in this process, {Url}";

    /// <summary>Faults to order; none at first.</summary>
    public Misbehaviour Misbehaviour { get; } = new();

    public RequestCounters Requests { get; } = new();

    /// <summary>How long access tokens that are issued from now on are good for; five minutes at first.</summary>
    public TimeSpan TokenLifetime
    {
        get => tokens.Lifetime;
        set => tokens.Lifetime = value;
    }

    public static async Task<EmulatedKeycloak> StartAsync(EmulatorOptions options, CancellationToken token)
    {
        var emulator = new EmulatedKeycloak(options);
        await emulator.app.StartAsync(token);
        return emulator;
    }

    /// <summary>A realm, to make things happen in it.</summary>
    public EmulatedRealm Realm(string name) =>
        new(realms.Find(name) ?? throw new ArgumentException($"There is no realm {name}.", nameof(name)), journal, clock);

    /// <summary>Ends when no webhook is being delivered or waiting for another try.</summary>
    public Task WebhooksIdleAsync(CancellationToken token) => webhooks.IdleAsync(token);

    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref isDisposed, true))
            return;
        await webhooks.DisposeAsync();
        using var atOnce = new CancellationTokenSource(TimeSpan.Zero);
        await app.StopAsync(atOnce.Token);
        await app.DisposeAsync();
        socket.Dispose();
    }

    /// <summary>Reads no configuration and takes no signals: both belong to the process around it.</summary>
    private static WebApplication Build(Socket socket)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Services.AddRoutingCore().AddSingleton<IHostLifetime, Unattended>();
        builder.WebHost
            .UseKestrelCore()
            .UseSockets(sockets => sockets.CreateBoundListenSocket = _ => socket)
            .ConfigureKestrel(kestrel =>
            {
                kestrel.AddServerHeader = false;
                kestrel.Listen(socket.LocalEndPoint!);
            });
        return builder.Build();
    }

    private void Map()
    {
        app.Use((context, next) =>
        {
            Requests.Count(context);
            context.Response.Headers.Date = clock.Now.ToString("r", CultureInfo.InvariantCulture);
            return Misbehaviour.InvokeAsync(context, next, clock.Source);
        });
        var routes = new Routes(app);
        var access = new AdminAccess(realms, tokens);
        new RealmEndpoints(realms, access, journal, Url).Map(routes);
        new TokenEndpoints(realms, tokens, journal, model).Map(routes);
        new UserEndpoints(access, journal, clock, model, Url).Map(routes);
        new PartialImport(access, journal, realms).Map(routes);
        new EventEndpoints(access, journal, model, SendsWebhooks).Map(routes);
        new ClientEndpoints(access, journal, clock, Url).Map(routes);
        if (SendsWebhooks)
            new WebhookEndpoints(access, clock, Url).Map(routes);
        var sessions = new LoginSessions(realms, journal, Url);
        new RegistrationPages(sessions, clock).Map(routes);
        new LoginPages(sessions).Map(routes);
        new BrokerPages(sessions, realms, clock, Url).Map(routes);
    }

    private sealed class Unattended : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
