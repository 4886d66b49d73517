using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Configuration.Json;

namespace KeycloakCreditBridge.Configuration.Reload;

/// <summary>A file of settings. What changes in it while the program runs is used only after it was checked.</summary>
/// <param name="path">Its whole path.</param>
/// <param name="isOptional">Whether the program starts without it.</param>
internal sealed class SettingsFileSource(string path, bool isOptional) : IConfigurationSource
{
    public IConfigurationProvider Build(IConfigurationBuilder builder) => new SettingsFile(path, isOptional);
}

/// <summary>Holds what is used of a file.</summary>
internal sealed class SettingsFile(string path, bool isOptional) : ConfigurationProvider
{
    private Dictionary<string, string?> _atStart = new(StringComparer.OrdinalIgnoreCase);

    public string Path => path;

    /// <summary>The text that is used; null where there was no file.</summary>
    public string? Text { get; private set; }

    /// <summary>What it said at the start.</summary>
    public IReadOnlyDictionary<string, string?> AtStart => _atStart;

    /// <exception cref="InvalidDataException">It is no JSON object.</exception>
    public override void Load()
    {
        Text = Read();
        if (Text is null && !isOptional)
            throw new FileNotFoundException($"The settings' file {path} is not there.", path);
        Data = _atStart = Parse(Text);
    }

    /// <summary>The text as it is now; null where there is no file.</summary>
    /// <exception cref="IOException">It cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be read.</exception>
    public string? Read()
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
    }

    /// <summary>The settings of a text; none without a text.</summary>
    /// <exception cref="InvalidDataException">It is no JSON object.</exception>
    public Dictionary<string, string?> Parse(string? text)
    {
        if (text is null)
            return new(StringComparer.OrdinalIgnoreCase);
        try
        {
            return JsonText.Parse(text);
        }
        catch (Exception exception) when (exception is FormatException or JsonException)
        {
            throw new InvalidDataException(
                $"The settings' file {path} cannot be read: {(exception.InnerException ?? exception).Message}", exception);
        }
    }

    /// <summary>Uses other values from here on.</summary>
    public void Use(string? text, Dictionary<string, string?> values)
    {
        (Text, Data) = (text, values);
        OnReload();
    }

    /// <summary>The framework's reader of JSON, which hides what it reads.</summary>
    private sealed class JsonText() : JsonStreamConfigurationProvider(new JsonStreamConfigurationSource())
    {
        public static Dictionary<string, string?> Parse(string text)
        {
            var reader = new JsonText();
            using var stream = new MemoryStream(Encoding.UTF8.GetBytes(text));
            reader.Load(stream);
            return new(reader.Data, StringComparer.OrdinalIgnoreCase);
        }
    }
}
