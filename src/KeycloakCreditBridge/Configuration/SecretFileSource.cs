using Microsoft.Extensions.Configuration.EnvironmentVariables;

namespace KeycloakCreditBridge.Configuration;

/// <summary>
/// The environment, with secrets read from files as container platforms mount them: `Keycloak__ClientSecret_FILE=/run/secrets/x` sets
/// `Keycloak:ClientSecret` to that file's text without its line end.
/// </summary>
internal sealed class SecretFileSource : IConfigurationSource
{
    public IConfigurationProvider Build(IConfigurationBuilder builder) => new SecretFileProvider();
}

/// <summary>Holds the environment, and where its secrets' files are.</summary>
internal sealed class SecretFileProvider : EnvironmentVariablesConfigurationProvider
{
    private const string Suffix = "_FILE";

    private readonly Dictionary<string, string> _paths = new(StringComparer.OrdinalIgnoreCase);

    public override void Load()
    {
        base.Load();
        _paths.Clear();
        List<string> problems = [];
        foreach (var (key, path) in Data.Where(item => NamesFile(item.Key)).ToList())
        {
            // The key is removed: the binder takes every key below a list for an entry, and would take the path for one more secret.
            Data.Remove(key);
            _paths[key[..^Suffix.Length]] = path ?? "";
            Data[key[..^Suffix.Length]] = Read(key, path ?? "", problems);
        }

        if (problems.Count > 0)
            throw new ConfigurationException(problems);
    }

    /// <summary>Secrets whose files hold another text than was read. An empty file is being written.</summary>
    public Dictionary<string, string> Changed(out IReadOnlyList<string> problems)
    {
        List<string> unreadable = [];
        Dictionary<string, string> changed = new(StringComparer.OrdinalIgnoreCase);
        foreach (var (key, path) in _paths)
        {
            if (Read(key + Suffix, path, unreadable) is { Length: > 0 } text && text != Data[key])
                changed[key] = text;
        }

        problems = unreadable;
        return changed;
    }

    /// <summary>Replaces values, and returns the values before.</summary>
    public Dictionary<string, string> Use(Dictionary<string, string> values)
    {
        Dictionary<string, string> before = new(StringComparer.OrdinalIgnoreCase);
        foreach (var (key, value) in values)
        {
            before[key] = Data[key] ?? "";
            Data[key] = value;
        }

        OnReload();
        return before;
    }

    // Only names with a section are the bridge's: other programs' variables end in _FILE too.
    private static bool NamesFile(string key) =>
        key.EndsWith(Suffix, StringComparison.Ordinal) && key.Contains(ConfigurationPath.KeyDelimiter, StringComparison.Ordinal);

    private static string? Read(string key, string path, List<string> problems)
    {
        try
        {
            return File.ReadAllText(path).TrimEnd('\r', '\n');
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ArgumentException)
        {
            var variable = key.Replace(ConfigurationPath.KeyDelimiter, "__", StringComparison.Ordinal);
            problems.Add($"{variable} names the file '{path}', which cannot be read: {exception.Message}");
            return null;
        }
    }
}
