using Microsoft.Extensions.Configuration;

namespace KeycloakCreditBridge.Tests.Configuration;

public sealed class SecretFileTests
{
    [Fact]
    public void A_file_s_text_is_an_entry_of_its_list_and_its_path_is_none()
    {
        using var secret = new SecretVariable("Shop__Secrets__0", "from the file\n");
        Assert.Equal(["from the file"], Program.Compose([]).Configuration.GetSection("Shop:Secrets").Get<List<string>>()!);
    }

    [Fact]
    public void The_command_line_wins_over_a_file()
    {
        using var secret = new SecretVariable("Market__Secret", "from the file");
        Assert.Equal("from the file", Program.Compose([]).Configuration["Market:Secret"]);
        Assert.Equal("from the line", Program.Compose(["--Market:Secret=from the line"]).Configuration["Market:Secret"]);
    }

    // Other tests compose the bridge meanwhile: the section is none of its, and only this test's.
    private sealed class SecretVariable : IDisposable
    {
        private readonly string _variable;
        private readonly string _path = Path.GetTempFileName();

        public SecretVariable(string setting, string text)
        {
            _variable = $"{setting}_FILE";
            File.WriteAllText(_path, text);
            Environment.SetEnvironmentVariable(_variable, _path);
        }

        public void Dispose()
        {
            Environment.SetEnvironmentVariable(_variable, null);
            File.Delete(_path);
        }
    }
}
