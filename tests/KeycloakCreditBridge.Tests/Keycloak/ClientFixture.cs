using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Keycloak.Admin;
using KeycloakCreditBridge.Keycloak.Events;
using KeycloakCreditBridge.Keycloak.Tokens;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Tests.Keycloak;

/// <summary>
/// The client as the module builds it, a scripted server to talk to, a clock that the test moves and all that was logged.
/// </summary>
internal sealed class ClientFixture : IAsyncDisposable
{
    public const string Secret = "s3cret-of-the-client";

    private readonly IHost _host;

    private ClientFixture(ScriptedKeycloak server, ManualTimeProvider clock, IHost host)
    {
        (Server, Clock, _host) = (server, clock, host);
        Log = _host.Services.GetServices<ILoggerProvider>().OfType<LogLines>().Single();
        Client = _host.Services.GetRequiredService<KeycloakClient>();
        Events = _host.Services.GetRequiredService<KeycloakEvents>();
        Keys = _host.Services.GetRequiredService<RealmKeys>();
    }

    public ScriptedKeycloak Server { get; }

    public ManualTimeProvider Clock { get; }

    public KeycloakClient Client { get; }

    public KeycloakEvents Events { get; }

    public RealmKeys Keys { get; }

    public IOptions<KeycloakOptions> Options => _host.Services.GetRequiredService<IOptions<KeycloakOptions>>();

    public LogLines Log { get; }

    /// <summary>The realm "shop" as an administrator sees it.</summary>
    public AdminSession AsAdministrator() => new(
        _host.Services.GetRequiredService<AdminTransport>(),
        "shop",
        new AdministratorToken(
            _host.Services.GetRequiredService<TokenEndpoint>(), new Administrator("master", "admin", IsClient: false, Secret)));

    public static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>A client of the realm "shop" and of the realm "münchen / süd".</summary>
    public static async Task<ClientFixture> StartAsync(params (string Key, string Value)[] settings)
    {
        var server = await ScriptedKeycloak.StartAsync();
        var clock = new ManualTimeProvider();
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["Keycloak:Url"] = server.Url,
            ["Keycloak:ClientSecret"] = Secret,
            // The clock is moved while real requests run, so that a short time could end under them.
            ["Keycloak:RequestTimeout"] = "00:10:00",
            ["Keycloak:Realms:0:Name"] = "shop",
            ["Keycloak:Realms:1:Name"] = "münchen / süd",
        });
        builder.Configuration.AddInMemoryCollection(settings.Select(setting => KeyValuePair.Create(setting.Key, (string?)setting.Value)));
        builder.Services.AddSingleton<TimeProvider>(clock);
        builder.Logging.SetMinimumLevel(LogLevel.Trace);
        builder.Services.AddSingleton<ILoggerProvider, LogLines>();
        builder.AddKeycloak();
        return new ClientFixture(server, clock, builder.Build());
    }

    /// <summary>Lets the clock run until the call has ended.</summary>
    public async Task<T> DriveAsync<T>(Task<T> call)
    {
        await Clock.AdvanceUntilDoneAsync(call, TimeSpan.FromMilliseconds(100), Cancellation);
        return await call;
    }

    /// <summary>The error that the call ends with, the clock running.</summary>
    public async Task<TException> FailAsync<TException>(Task call)
        where TException : KeycloakException
    {
        await Clock.AdvanceUntilDoneAsync(call, TimeSpan.FromMilliseconds(100), Cancellation);
        var exception = await Assert.ThrowsAsync<TException>(() => call);
        Assert.DoesNotContain('\n', exception.Message);
        Assert.DoesNotContain(Secret, exception.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("token-1", exception.ToString(), StringComparison.Ordinal);
        return exception;
    }

    public async ValueTask DisposeAsync()
    {
        _host.Dispose();
        await Server.DisposeAsync();
    }
}

