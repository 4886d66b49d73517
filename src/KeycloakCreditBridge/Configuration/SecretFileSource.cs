using System.Collections;

namespace KeycloakCreditBridge.Configuration;

/// <summary>
/// Reads secrets from files, as container platforms mount them: `Keycloak__ClientSecret_FILE=/run/secrets/x` sets
/// `Keycloak:ClientSecret` to that file's text without its last line end.
/// </summary>
internal sealed class SecretFileSource(IDictionary environment) : IConfigurationSource
{
    public const string Suffix = "_FILE";

    public IConfigurationProvider Build(IConfigurationBuilder builder) => new Provider(environment);

    private sealed class Provider(IDictionary environment) : ConfigurationProvider
    {
        public override void Load()
        {
            foreach (DictionaryEntry variable in environment)
            {
                var name = (string)variable.Key;
                // Only names with a section are the bridge's: other programs' variables end in _FILE too.
                if (!name.EndsWith(Suffix, StringComparison.Ordinal) || !name.Contains("__", StringComparison.Ordinal))
                    continue;
                var key = name[..^Suffix.Length].Replace("__", ConfigurationPath.KeyDelimiter, StringComparison.Ordinal);
                Data[key] = Read(name, (string?)variable.Value ?? "");
            }
        }

        private static string Read(string variable, string path)
        {
            try
            {
                return File.ReadAllText(path).TrimEnd('\r', '\n');
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ArgumentException)
            {
                throw new ConfigurationException([$"{variable} names the file '{path}', which cannot be read: {exception.Message}"]);
            }
        }
    }
}
