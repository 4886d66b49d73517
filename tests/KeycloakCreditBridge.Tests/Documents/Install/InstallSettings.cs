using KeycloakCreditBridge.Configuration;
using Microsoft.Extensions.DependencyInjection;

namespace KeycloakCreditBridge.Tests.Documents.Install;

/// <summary>The settings that a file to install with gives the bridge, in the form of its environment.</summary>
internal static class InstallSettings
{
    private const string File = "_FILE";

    /// <summary>Settings as `Section:Key`, with a secret's text for the file that holds it.</summary>
    /// <param name="variables">Names as `Section__Key` or `Section__Key_FILE`.</param>
    /// <param name="secret">The secret that a path stands for.</param>
    public static Dictionary<string, string> Of(IEnumerable<KeyValuePair<string, string>> variables, Func<string, string> secret) =>
        variables.Where(variable => variable.Key.Contains("__", StringComparison.Ordinal)).ToDictionary(
            variable => Key(variable.Key), variable => IsFile(variable.Key) ? secret(variable.Value) : variable.Value);

    /// <summary>Fails unless the bridge starts with these settings.</summary>
    public static void Bind(IReadOnlyDictionary<string, string> settings)
    {
        using var services = Program.Compose([.. settings.Select(setting => $"--{setting.Key}={setting.Value}")]).Services
            .BuildServiceProvider();
        Assert.Empty(ConfigurationCheck.Problems(services));
    }

    private static bool IsFile(string name) => name.EndsWith(File, StringComparison.Ordinal);

    private static string Key(string name) =>
        (IsFile(name) ? name[..^File.Length] : name).Replace("__", ":", StringComparison.Ordinal);
}
