<?php

namespace Quarry\Stones;

use Quarry\Stones\Scale\ScaleReader;
use Symfony\Component\Console\Command\Command;
use Symfony\Component\Console\Helper\Table;
use Symfony\Component\Console\Input\InputInterface;
use Symfony\Component\Console\Output\OutputInterface;

final class WeighCommand extends Command
{
    private array $weights = [];

    public function __construct(private ScaleReader $reader, private Catalogue $catalogue)
    {
        parent::__construct('stones:weigh');
    }

    protected function execute(InputInterface $input, OutputInterface $output): int
    {
        foreach ($this->catalogue->stones() as $stone) {
            $weight = $this->reader->weigh($stone);
            $this->remember($stone->name(), $weight);
        }
        $table = new Table($output);
        $table->setHeaders(['Stone', 'Kilograms']);
        foreach ($this->weights as $name => $weight) {
            $table->addRow([$name, number_format($weight, 2)]);
        }
        $table->render();
        return Command::SUCCESS;
    }

    private function remember(string $name, float $weight): void
    {
        if ($weight <= 0.0) {
            throw new \RuntimeException($name);
        }
        $this->weights[$name] = $weight;
        ksort($this->weights);
    }

    public function heaviest(): ?string
    {
        if ($this->weights === []) {
            return null;
        }
        $sorted = $this->weights;
        arsort($sorted);
        return array_key_first($sorted);
    }
}
