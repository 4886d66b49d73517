using Microsoft.Extensions.Configuration;

namespace KeycloakCreditBridge.Tests.Configuration;

public sealed class SecretFileTests
{
    [Fact]
    public void A_file_s_text_is_an_entry_of_its_list_and_its_path_is_none()
    {
        using var secret = new SecretVariable("Shop__Secrets__0");
        Assert.Equal(["from the file"], Program.Compose([]).Configuration.GetSection("Shop:Secrets").Get<List<string>>()!);
    }

    [Fact]
    public void The_command_line_wins_over_a_file()
    {
        using var secret = new SecretVariable("Market__Secret");
        Assert.Equal("from the file", Program.Compose([]).Configuration["Market:Secret"]);
        Assert.Equal("from the line", Program.Compose(["--Market:Secret=from the line"]).Configuration["Market:Secret"]);
    }

    // Other tests compose the bridge meanwhile and start processes, which take the variable with them: the section is none of its, and only
    // this test's, and the file stays.
    private sealed class SecretVariable : IDisposable
    {
        private static readonly string Secret =
            Path.Combine(Repository.Top, "tests", "KeycloakCreditBridge.Tests", "Configuration", "secret.txt");

        private readonly string _variable;

        public SecretVariable(string setting)
        {
            _variable = $"{setting}_FILE";
            Environment.SetEnvironmentVariable(_variable, Secret);
        }

        public void Dispose() => Environment.SetEnvironmentVariable(_variable, null);
    }
}
