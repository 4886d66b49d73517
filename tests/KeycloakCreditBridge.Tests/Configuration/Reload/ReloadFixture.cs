using KeycloakCreditBridge.Configuration.Reload;
using KeycloakCreditBridge.Sandbox.Processes;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace KeycloakCreditBridge.Tests.Configuration.Reload;

/// <summary>The composed program with a settings' file of the test's own, which is read when the test says so.</summary>
internal sealed class ReloadFixture : IDisposable
{
    private readonly InstanceFolder _folder = InstanceFolder.Claim(Path.GetTempPath(), "settings");
    private WebApplication? _app;

    public LogLines Log { get; } = new();

    public string Folder => _folder.Path;

    public string File => Path.Combine(Folder, "appsettings.json");

    public IServiceProvider Services => _app!.Services;

    public ReloadStatus Status => Services.GetRequiredService<SettingsReload>().Status;

    /// <summary>Starts with a text of the file; without one there is no file.</summary>
    public static ReloadFixture Start(string? text, params IEnumerable<string> more)
    {
        var fixture = new ReloadFixture();
        if (text is not null)
            fixture.Write(text);
        return fixture.Compose(more);
    }

    /// <summary>Starts with the file as the test has made it.</summary>
    public ReloadFixture Compose(params IEnumerable<string> more)
    {
        var builder = Program.Compose([]);
        builder.Configuration.Sources.Add(new SettingsFileSource(File, isOptional: true));
        // What wins over files, as the environment does.
        foreach (var setting in (string[])["Storage:ConnectionString=Host=db", "Keycloak:Url=https://sso.example.com",
            "Keycloak:ClientSecret=secret", "Keycloak:Realms:0:Name=shop", .. more])
            Override(builder, setting.Split('=', 2));
        builder.Logging.ClearProviders();
        builder.Services.AddSingleton<ILoggerProvider>(Log);
        _app = Program.Build(builder);
        return this;
    }

    /// <summary>Settings of the version in use.</summary>
    public T Get<T>()
        where T : class => Services.GetRequiredService<Hot<T>>().Current;

    public void Write(string text) => System.IO.File.WriteAllText(File, text);

    /// <summary>Reads the files as the bridge does each second.</summary>
    public void Read() => Services.GetRequiredService<SettingsReload>().Read(atOnce: false);

    /// <summary>Reads a text that is not being written any more.</summary>
    public void ReadWritten()
    {
        Read();
        Read();
    }

    public int Lines(int eventId) => Log.EventIds.Count(id => id == eventId);

    public void Dispose()
    {
        (_app as IDisposable)?.Dispose();
        _folder.Dispose();
    }

    private static void Override(WebApplicationBuilder builder, string[] setting) =>
        builder.Configuration.Sources.Add(
            new Microsoft.Extensions.Configuration.Memory.MemoryConfigurationSource
            {
                InitialData = [new(setting[0], setting[1])],
            });
}
