using Microsoft.Extensions.Configuration.EnvironmentVariables;

namespace KeycloakCreditBridge.Configuration;

/// <summary>
/// The environment, with secrets read from files as container platforms mount them: `Keycloak__ClientSecret_FILE=/run/secrets/x` sets
/// `Keycloak:ClientSecret` to that file's text without its line end.
/// </summary>
internal sealed class SecretFileSource : IConfigurationSource
{
    private const string Suffix = "_FILE";

    public IConfigurationProvider Build(IConfigurationBuilder builder) => new Provider();

    private sealed class Provider : EnvironmentVariablesConfigurationProvider
    {
        public override void Load()
        {
            base.Load();
            List<string> problems = [];
            foreach (var (key, path) in Data.Where(item => NamesFile(item.Key)).ToList())
            {
                // The key is removed: the binder takes every key below a list for an entry, and would take the path for one more secret.
                Data.Remove(key);
                Data[key[..^Suffix.Length]] = Read(key, path ?? "", problems);
            }

            if (problems.Count > 0)
                throw new ConfigurationException(problems);
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
}
