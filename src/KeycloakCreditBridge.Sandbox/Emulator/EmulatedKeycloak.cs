using System.Globalization;
using System.Net;
using System.Net.Sockets;
using KeycloakCreditBridge.Sandbox.Emulator.Clients;
using KeycloakCreditBridge.Sandbox.Emulator.Events;
using KeycloakCreditBridge.Sandbox.Emulator.Http;
using KeycloakCreditBridge.Sandbox.Emulator.Membership;
using KeycloakCreditBridge.Sandbox.Emulator.Pages;
using KeycloakCreditBridge.Sandbox.Emulator.Realms;
using KeycloakCreditBridge.Sandbox.Emulator.Tokens;
using KeycloakCreditBridge.Sandbox.Emulator.Users;
using KeycloakCreditBridge.Sandbox.Emulator.Webhooks;
using KeycloakCreditBridge.Sandbox.Keycloak.Servers;

namespace KeycloakCreditBridge.Sandbox.Emulator;

/// <summary>
/// A Keycloak in this process, in memory, on a free port of 127.0.0.1: as much of the real one as the bridge, its tests and the
/// sandbox use. It injects faults, counts its requests, and does what no REST call of Keycloak does.
/// </summary>
internal sealed class EmulatedKeycloak : IKeycloakServer
{
    /// <summary>Bound before the server starts, as its address is part of what it answers.</summary>
    private readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);

    private readonly WebApplication _app;
    private readonly RealmRegistry _realms;
    private readonly EmulatorClock _clock;
    private readonly AccessTokens _tokens;
    private readonly WebhookSender _webhooks;
    private readonly TransactionFactory _transactions;
    private readonly ServerModel _model;
    private LogoutPages? _logouts;
    private bool _isDisposed;

    private EmulatedKeycloak(EmulatorOptions options)
    {
        (_model, SendsWebhooks) = (options.Model, options.SendsWebhooks);
        _socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        Url = new Uri($"http://{_socket.LocalEndPoint}/");
        _app = Build(_socket);
        _clock = new EmulatorClock(options.Clock ?? TimeProvider.System, Faults);
        _realms = new RealmRegistry(_clock, _model, Url, AdminUser, AdminPassword);
        _tokens = new AccessTokens(_realms, _clock, Url);
        _webhooks = new WebhookSender(_clock);
        _transactions = new TransactionFactory(_clock, Faults, _webhooks);
        Map();
    }

    public Uri Url { get; }

    public string AdminUser => "admin";

    public string AdminPassword => "admin";

    public bool SendsWebhooks { get; }

    public string Description => $"emulator of Keycloak {_model.ToString()[1..].Replace('_', '.')} in this process";

    /// <summary>Faults to inject; none at first.</summary>
    public FaultInjector Faults { get; } = new();

    public RequestCounters Requests { get; } = new();

    /// <summary>The lifetime of new access tokens; five minutes at first.</summary>
    public TimeSpan TokenLifetime
    {
        get => _tokens.Lifetime;
        set => _tokens.Lifetime = value;
    }

    public static async Task<EmulatedKeycloak> StartAsync(EmulatorOptions options, CancellationToken token)
    {
        var emulator = new EmulatedKeycloak(options);
        await emulator._app.StartAsync(token);
        return emulator;
    }

    /// <summary>A realm, to act in it.</summary>
    public EmulatedRealm Realm(string name) =>
        new(
            _realms.Find(name) ?? throw new ArgumentException($"There is no realm {name}.", nameof(name)),
            _realms.Find(RealmRegistry.Master)!, _tokens, _transactions, _clock, _model);

    /// <summary>Ends when no webhook is being delivered or waiting for another try.</summary>
    public Task WebhooksIdleAsync(CancellationToken token) => _webhooks.IdleAsync(token);

    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _isDisposed, true))
            return;
        await _webhooks.DisposeAsync();
        using var atOnce = new CancellationTokenSource(TimeSpan.Zero);
        await _app.StopAsync(atOnce.Token);
        await _app.DisposeAsync();
        _socket.Dispose();
        _logouts?.Dispose();
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
        _app.Use((context, next) =>
        {
            Requests.Count(context);
            context.Response.Headers.Date = _clock.Now.ToString("r", CultureInfo.InvariantCulture);
            return Faults.InvokeAsync(context, next, _clock.Source);
        });
        var routes = new Routes(_app);
        var access = new AdminAccess(_realms, _tokens);
        var lockouts = new Lockouts(access, _clock);
        lockouts.Map(routes);
        new RealmEndpoints(_realms, access, _transactions, Url).Map(routes);
        new TokenEndpoints(_realms, _tokens, _transactions, lockouts, _clock, _model, Url).Map(routes);
        new UserEndpoints(access, _transactions, _clock, lockouts, _model, Url).Map(routes);
        new GroupEndpoints(access, _transactions, Url).Map(routes);
        new RealmRoleEndpoints(access, _transactions, Url).Map(routes);
        new ProfileEndpoints(access, _transactions).Map(routes);
        new PartialImport(access, _transactions, _realms).Map(routes);
        new EventEndpoints(access, _transactions, _model, SendsWebhooks).Map(routes);
        new ClientEndpoints(access, _transactions, _clock, _model, Url).Map(routes);
        if (SendsWebhooks)
            new WebhookEndpoints(access, _clock, Url).Map(routes);
        else
            routes.Map("GET", "/realms/{realm}/webhooks", Answer (_) => throw RefusalException.NotFound);
        var sessions = new LoginSessions(_realms, _transactions, Url);
        new RegistrationPages(sessions, _clock).Map(routes);
        new LoginPages(sessions, lockouts).Map(routes);
        new BrokerPages(sessions, _realms, _clock, Url).Map(routes);
        _logouts = new LogoutPages(sessions, access, _tokens);
        _logouts.Map(routes);
    }

    private sealed class Unattended : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
