using KeycloakCreditBridge.Sandbox.Processes;

namespace KeycloakCreditBridge.Sandbox.Keycloak.Servers;

/// <summary>
/// A private, real Keycloak on 127.0.0.1. It shares the installation with others and has its own database, which
/// <see cref="DisposeAsync"/> removes. It ends with this process, however that ends.
/// </summary>
internal sealed class RealKeycloak : IKeycloakServer
{
    private readonly InstanceFolder _folder;
    private readonly KeycloakDistribution _distribution;
    private KeycloakProcess? _process;

    private RealKeycloak(string cache, KeycloakDistribution distribution)
    {
        _folder = InstanceFolder.Claim(cache, "instance");
        _distribution = distribution;
    }

    public Uri Url => _process!.Url;

    public string AdminUser => KeycloakProcess.AdminUser;

    public string AdminPassword => KeycloakProcess.AdminPassword;

    public bool SendsWebhooks => _distribution.Plugin is not null;

    public string Description =>
        $"Keycloak {_distribution.Version}, {(SendsWebhooks ? "with" : "without")} webhooks, from {_distribution.Source}, on Java " +
        $"{_distribution.Java.Version}";

    /// <summary>Starts a server: about 5 s, and a minute more the first time that this distribution is used on the machine.</summary>
    /// <param name="distribution">One of <see cref="KeycloakDistribution.FindAll"/>; with { Plugin = null } for no webhooks.</param>
    /// <param name="cache">The folder for installations and instances; any number of processes may share one.</param>
    /// <param name="report">Takes a line of progress to show.</param>
    /// <param name="token">Cancels the start.</param>
    /// <param name="environment">Variables for the server: the address of its database, or a clock of its own.</param>
    /// <exception cref="InvalidOperationException">It did not start; the message ends with the last lines of its log.</exception>
    public static async Task<RealKeycloak> StartAsync(
        KeycloakDistribution distribution, string cache, Action<string>? report, CancellationToken token,
        IReadOnlyDictionary<string, string>? environment = null)
    {
        var installation = await KeycloakInstallation.PrepareAsync(distribution, cache, report, token);
        var server = new RealKeycloak(cache, distribution);
        try
        {
            await server.StartAsync(installation, environment, token);
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is not null)
        {
            await _process.StopAsync();
            await _process.DisposeAsync();
        }
        _folder.Dispose();
    }

    private async Task StartAsync(string installation, IReadOnlyDictionary<string, string>? environment, CancellationToken token)
    {
        foreach (var shared in (string[])["lib", "providers", "conf", "themes"])
            Directory.CreateSymbolicLink(Path.Combine(_folder.Path, shared), Path.Combine(installation, shared));
        var database = Directory.CreateDirectory(Path.Combine(_folder.Path, "data", "h2")).FullName;
        var ready = Path.Combine(installation, "data", "h2");
        foreach (var file in Directory.Exists(ready) ? Directory.GetFiles(ready, "*.mv.db") : [])
            File.Copy(file, Path.Combine(database, Path.GetFileName(file)));
        _process = await KeycloakProcess.StartAsync(_distribution.Java, _folder.Path, token, environment);
    }
}
